// The order book, beside a naive one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <list>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "order_book.hpp"

namespace {

using namespace orders;

class Book : public testing::Test {
 protected:
  order_book::handle submit(side way, std::uint32_t price, std::uint32_t quantity) {
    trades.clear();
    order incoming{nullptr, ++last_id, 0, way, price, quantity};
    const auto place = book.submit(incoming, trades);
    left = incoming.remaining;
    return place;
  }
  order_book book;
  std::vector<trade> trades;
  std::uint64_t last_id = 0;
  std::uint32_t left = 0;
};

using OrdersBook = Book;

TEST_F(OrdersBook, RestsWhatNothingCrosses) {
  EXPECT_NE(submit(side::buy, 99, 10), order_book::none);
  EXPECT_NE(submit(side::sell, 101, 20), order_book::none);
  EXPECT_TRUE(trades.empty());
  EXPECT_EQ(book.best(side::buy), 99u);
  EXPECT_EQ(book.best(side::sell), 101u);
  EXPECT_EQ(book.quantity_at(side::buy, 99), 10u);
  EXPECT_EQ(book.quantity_at(side::buy, 101), 0u);
  EXPECT_EQ(book.resting_quantity(), 30u);
}

TEST_F(OrdersBook, TheBestPriceComesFirstAndIsTheTradesPrice) {
  submit(side::sell, 103, 5);
  submit(side::sell, 101, 5);
  submit(side::sell, 102, 5);
  EXPECT_EQ(submit(side::buy, 102, 7), order_book::none);
  ASSERT_EQ(trades.size(), 2u);
  EXPECT_EQ(trades[0].resting.price, 101u);
  EXPECT_EQ(trades[0].quantity, 5u);
  EXPECT_EQ(trades[0].resting.remaining, 0u);
  EXPECT_EQ(trades[1].resting.price, 102u);
  EXPECT_EQ(trades[1].quantity, 2u);
  EXPECT_EQ(trades[1].resting.remaining, 3u);
  EXPECT_EQ(book.size(), 2u);
  EXPECT_EQ(book.quantity_at(side::sell, 102), 3u);
}

TEST_F(OrdersBook, AmongEqualPricesTheOldestComesFirst) {
  submit(side::buy, 100, 4);
  submit(side::buy, 100, 4);
  submit(side::buy, 100, 4);
  submit(side::sell, 100, 6);
  ASSERT_EQ(trades.size(), 2u);
  EXPECT_EQ(trades[0].resting.id, 1u);
  EXPECT_EQ(trades[1].resting.id, 2u);
  EXPECT_EQ(trades[1].resting.remaining, 2u);
  submit(side::buy, 100, 4);  // a partial fill has not cost order 2 its place
  submit(side::sell, 100, 100);
  ASSERT_EQ(trades.size(), 3u);
  EXPECT_EQ(trades[0].resting.id, 2u);
  EXPECT_EQ(trades[1].resting.id, 3u);
  EXPECT_EQ(trades[2].resting.id, 5u);
  EXPECT_EQ(left, 100u - 2 - 4 - 4);
  EXPECT_EQ(book.best(side::buy), std::nullopt);
  EXPECT_EQ(book.quantity_at(side::sell, 100), 90u);
}

TEST_F(OrdersBook, CancelTakesOutOfTheMiddle) {
  submit(side::sell, 100, 1);
  const auto middle = submit(side::sell, 100, 2);
  submit(side::sell, 100, 3);
  EXPECT_EQ(book.cancel(middle), 2u);
  EXPECT_EQ(book.quantity_at(side::sell, 100), 4u);
  submit(side::buy, 100, 4);
  ASSERT_EQ(trades.size(), 2u);
  EXPECT_EQ(trades[0].resting.id, 1u);
  EXPECT_EQ(trades[1].resting.id, 3u);
  EXPECT_EQ(book.size(), 0u);
}

TEST_F(OrdersBook, CancelTakesWhatATradeLeft) {
  const auto place = submit(side::buy, 100, 10);
  submit(side::sell, 100, 4);
  EXPECT_EQ(book.cancel(place), 6u);
  EXPECT_EQ(book.best(side::buy), std::nullopt);
  EXPECT_EQ(book.size(), 0u);
}

// The definition: every resting order looked at, for every unit of work.
class naive_book {
 public:
  // The trades as (id of the resting order, quantity).
  std::vector<std::pair<std::uint64_t, std::uint32_t>> submit(order incoming) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> made;
    while (incoming.remaining > 0) {
      auto best = resting_.end();
      for (auto at = resting_.begin(); at != resting_.end(); ++at) {
        const bool crosses = at->way != incoming.way &&
                             (incoming.way == side::buy ? at->price <= incoming.price : at->price >= incoming.price);
        const bool better =
            best == resting_.end() || (incoming.way == side::buy ? at->price < best->price : at->price > best->price);
        if (crosses && better) best = at;
      }
      if (best == resting_.end()) break;
      const std::uint32_t quantity = std::min(best->remaining, incoming.remaining);
      made.emplace_back(best->id, quantity);
      incoming.remaining -= quantity;
      best->remaining -= quantity;
      if (best->remaining == 0) resting_.erase(best);
    }
    if (incoming.remaining > 0) resting_.push_back(incoming);
    return made;
  }
  std::uint32_t cancel(std::uint64_t id) {
    const auto found = std::find_if(resting_.begin(), resting_.end(), [=](const order& o) { return o.id == id; });
    const std::uint32_t left = found->remaining;
    resting_.erase(found);
    return left;
  }
  const std::list<order>& resting() const { return resting_; }
  std::uint64_t quantity_at(side way, std::uint32_t price) const {
    std::uint64_t sum = 0;
    for (const order& o : resting_) sum += o.way == way && o.price == price ? o.remaining : 0;
    return sum;
  }

 private:
  std::list<order> resting_;  // oldest first
};

TEST(OrdersBookModel, AgreesWithANaiveBook) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    const std::uint32_t prices = 2 + below(12);
    order_book book;
    naive_book model;
    std::vector<std::pair<std::uint64_t, order_book::handle>> handles;
    for (std::uint64_t id = 1; id <= 600; ++id) {
      if (below(4) == 0 && !model.resting().empty()) {
        const auto& victim =
            *std::next(model.resting().begin(), below(static_cast<std::uint32_t>(model.resting().size())));
        const std::uint64_t gone = victim.id;
        const auto known = std::find_if(handles.begin(), handles.end(), [&](const auto& h) { return h.first == gone; });
        ASSERT_NE(known, handles.end());
        ASSERT_EQ(book.cancel(known->second), model.cancel(gone));
      }
      order incoming{nullptr, id, 0, below(2) == 0 ? side::buy : side::sell, 100 + below(prices), 1 + below(9)};
      const auto expected = model.submit(incoming);
      std::vector<trade> made;
      const std::uint32_t asked = incoming.remaining;
      const order_book::handle place = book.submit(incoming, made);
      std::vector<std::pair<std::uint64_t, std::uint32_t>> seen;
      std::uint32_t traded = 0;
      for (const trade& t : made) {
        seen.emplace_back(t.resting.id, t.quantity);
        traded += t.quantity;
      }
      ASSERT_EQ(seen, expected);
      ASSERT_EQ(incoming.remaining, asked - traded);
      ASSERT_EQ(place == order_book::none, incoming.remaining == 0);
      if (place != order_book::none) handles.emplace_back(id, place);
      ASSERT_EQ(book.size(), model.resting().size());
      std::uint64_t resting = 0;
      for (std::uint32_t price = 100; price < 100 + prices; ++price) {
        for (const side way : {side::buy, side::sell}) {
          ASSERT_EQ(book.quantity_at(way, price), model.quantity_at(way, price));
          resting += book.quantity_at(way, price);
        }
      }
      ASSERT_EQ(book.resting_quantity(), resting);
    }
  }
}

}  // namespace
