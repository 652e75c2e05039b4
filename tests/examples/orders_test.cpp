// The parts of examples/orders that need no socket. The command as a whole: orders.sh.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <list>
#include <optional>
#include <random>
#include <span>
#include <spool/spool.hpp>
#include <string>
#include <vector>

#include "../support/runtimes.hpp"
#include "client.hpp"
#include "load/latency_histogram.hpp"
#include "load/order_ledger.hpp"
#include "matching_engine.hpp"
#include "options.hpp"
#include "order_book.hpp"
#include "outbox.hpp"
#include "wire.hpp"

namespace {

using namespace orders;

template <class Message>
std::vector<std::byte> frame_of(const Message& message) {
  std::vector<std::byte> bytes(most_frame_bytes);
  bytes.resize(encode(message, bytes.data()));
  return bytes;
}

// Bytes after the frame are not looked at; of an incomplete frame nothing is taken.
template <class Message>
Message decoded_from(const std::vector<std::byte>& frame) {
  Message read;
  std::size_t bytes = 0;
  for (std::size_t n = 0; n < frame.size(); ++n) {
    EXPECT_EQ(decode(std::span(frame).first(n), read, bytes), decoded::incomplete) << n;
  }
  std::vector<std::byte> longer = frame;
  longer.resize(frame.size() + 5, std::byte{0xff});
  EXPECT_EQ(decode(longer, read, bytes), decoded::message);
  EXPECT_EQ(bytes, frame.size());
  return read;
}

decoded as_request(std::initializer_list<unsigned> bytes) {
  std::vector<std::byte> in;
  for (const unsigned b : bytes) in.push_back(static_cast<std::byte>(b));
  request ignored;
  std::size_t used = 0;
  return decode(in, ignored, used);
}

TEST(OrdersWire, RequestsComeBackAsTheyWere) {
  const auto placed = decoded_from<request>(frame_of(request{.kind = request_kind::new_order,
                                                             .id = 0x0102030405060708,
                                                             .sent_at = UINT64_MAX,
                                                             .symbol = 0xfffefdfc,
                                                             .way = side::sell,
                                                             .price = 77,
                                                             .quantity = 0x80000001}));
  EXPECT_EQ(placed.kind, request_kind::new_order);
  EXPECT_EQ(placed.id, 0x0102030405060708u);
  EXPECT_EQ(placed.sent_at, UINT64_MAX);
  EXPECT_EQ(placed.symbol, 0xfffefdfcu);
  EXPECT_EQ(placed.way, side::sell);
  EXPECT_EQ(placed.price, 77u);
  EXPECT_EQ(placed.quantity, 0x80000001u);
  const auto cancel = decoded_from<request>(frame_of(request{.kind = request_kind::cancel, .id = 5, .sent_at = 6}));
  EXPECT_EQ(cancel.kind, request_kind::cancel);
  EXPECT_EQ(cancel.id, 5u);
  EXPECT_EQ(cancel.sent_at, 6u);
}

TEST(OrdersWire, AnswersComeBackAsTheyWere) {
  const auto ack = decoded_from<answer>(frame_of(answer{.kind = answer_kind::ack, .id = 1, .sent_at = 2}));
  EXPECT_EQ(ack.kind, answer_kind::ack);
  EXPECT_EQ(ack.id, 1u);
  EXPECT_EQ(ack.sent_at, 2u);
  const auto fill = decoded_from<answer>(frame_of(answer{
      .kind = answer_kind::fill, .id = 3, .sent_at = 4, .way = side::buy, .price = 5, .remaining = 7, .quantity = 6}));
  EXPECT_EQ(fill.kind, answer_kind::fill);
  EXPECT_EQ(fill.way, side::buy);
  EXPECT_EQ(fill.price, 5u);
  EXPECT_EQ(fill.quantity, 6u);
  EXPECT_EQ(fill.remaining, 7u);
  const auto reject = decoded_from<answer>(frame_of(answer{
      .kind = answer_kind::reject, .id = 8, .of = request_kind::cancel, .reason = reject_reason::unknown_order}));
  EXPECT_EQ(reject.of, request_kind::cancel);
  EXPECT_EQ(reject.reason, reject_reason::unknown_order);
  const auto gone = decoded_from<answer>(frame_of(answer{.kind = answer_kind::cancelled, .id = 9, .quantity = 10}));
  EXPECT_EQ(gone.kind, answer_kind::cancelled);
  EXPECT_EQ(gone.quantity, 10u);
}

TEST(OrdersWire, IsLittleEndianAndPacked) {
  const auto frame = frame_of(request{.kind = request_kind::cancel, .id = 0x0102, .sent_at = 0x03});
  std::vector<unsigned> bytes;
  for (const std::byte b : frame) bytes.push_back(std::to_integer<unsigned>(b));
  EXPECT_EQ(bytes, (std::vector<unsigned>{17, 0, 2, 2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(OrdersWire, NonsenseIsSeenWithoutWaitingForMore) {
  EXPECT_EQ(as_request({0, 0}), decoded::malformed);   // no room for a kind
  EXPECT_EQ(as_request({31, 0}), decoded::malformed);  // longer than any request
  EXPECT_EQ(as_request({0xff, 0xff}), decoded::malformed);
  EXPECT_EQ(as_request({30, 0, 0x02}), decoded::malformed);  // a cancel is shorter
  EXPECT_EQ(as_request({17, 0, 0x01}), decoded::malformed);
  EXPECT_EQ(as_request({17, 0, 0x81}), decoded::malformed);  // an answer
  EXPECT_EQ(as_request({17, 0, 0x00}), decoded::malformed);
  auto frame = frame_of(request{.id = 1, .price = 1, .quantity = 1});
  frame[2 + 1 + 8 + 8 + 4] = std::byte{3};  // the side
  request read;
  std::size_t bytes = 0;
  EXPECT_EQ(decode(frame, read, bytes), decoded::malformed);
}

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

class OrdersEngine : public testing::Test {
 protected:
  void ask(client& from, const request& wanted) {
    answers.clear();
    engine.handle({&from, client_request::what::message, wanted}, answers);
  }
  void place(client& from, std::uint64_t id, side way, std::uint32_t price, std::uint32_t quantity,
             std::uint32_t symbol = 0) {
    ask(from, {.id = id, .sent_at = 1000 + id, .symbol = symbol, .way = way, .price = price, .quantity = quantity});
  }
  void end(client& from, client_request::what how) {
    answers.clear();
    engine.handle({&from, how, {}}, answers);
  }
  void expect_reject(reject_reason why) {
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].body.kind, answer_kind::reject);
    EXPECT_EQ(answers[0].body.reason, why);
  }
  matching_engine engine{2};
  client alice{"alice", 1000, [] {}}, bob{"bob", 1000, [] {}};
  std::vector<client_answer> answers;
};

TEST_F(OrdersEngine, BothSidesHearOfATrade) {
  place(alice, 1, side::sell, 100, 10);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].to, &alice);
  EXPECT_EQ(answers[0].body.kind, answer_kind::ack);
  EXPECT_EQ(answers[0].body.sent_at, 1001u);
  place(bob, 1, side::buy, 105, 4);  // ids are each client's own
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].body.kind, answer_kind::ack);
  EXPECT_EQ(answers[0].to, &bob);
  EXPECT_EQ(answers[1].to, &bob);
  EXPECT_EQ(answers[1].body.remaining, 0u);
  EXPECT_EQ(answers[2].to, &alice);
  EXPECT_EQ(answers[2].body.remaining, 6u);
  EXPECT_EQ(answers[2].body.sent_at, 1001u);
  for (const std::size_t i : {1u, 2u}) {
    EXPECT_EQ(answers[i].body.kind, answer_kind::fill);
    EXPECT_EQ(answers[i].body.price, 100u);
    EXPECT_EQ(answers[i].body.quantity, 4u);
  }
  EXPECT_EQ(answers[1].body.way, side::buy);
  EXPECT_EQ(answers[2].body.way, side::sell);
  EXPECT_TRUE(engine.totals().balanced());
}

TEST_F(OrdersEngine, SymbolsDoNotMeet) {
  place(alice, 1, side::sell, 100, 10, 0);
  place(bob, 1, side::buy, 100, 10, 1);
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_EQ(engine.totals().resting_quantity, 20u);
}

TEST_F(OrdersEngine, RefusesWhatItCannotTake) {
  place(alice, 1, side::buy, 100, 1, 2);
  expect_reject(reject_reason::unknown_symbol);
  place(alice, 1, side::buy, 0, 1);
  expect_reject(reject_reason::bad_price);
  place(alice, 1, side::buy, 100, 0);
  expect_reject(reject_reason::bad_quantity);
  place(alice, 1, side::buy, 100, matching_engine::most_quantity + 1);
  expect_reject(reject_reason::bad_quantity);
  place(alice, 1, side::buy, 100, 1);
  place(alice, 1, side::buy, 100, 1);
  expect_reject(reject_reason::duplicate_id);
  EXPECT_EQ(answers[0].body.sent_at, 1001u);
  EXPECT_EQ(engine.totals().orders, 6u);
  EXPECT_EQ(engine.totals().rejects, 5u);
  EXPECT_EQ(engine.totals().resting_quantity, 1u);
  EXPECT_TRUE(engine.totals().balanced());
}

TEST_F(OrdersEngine, BoundsTheOpenOrdersOfAClient) {
  for (std::uint64_t id = 1; id <= matching_engine::most_open; ++id) place(alice, id, side::buy, 100, 1);
  place(alice, 0, side::buy, 100, 1);
  expect_reject(reject_reason::too_many_open);
  place(bob, 0, side::sell, 100, 1);
  EXPECT_EQ(answers.size(), 3u);
  place(alice, 0, side::buy, 100, 1);
  EXPECT_EQ(answers[0].body.kind, answer_kind::ack);
}

TEST_F(OrdersEngine, CancelsOpenOrdersOfTheSameClientOnly) {
  place(alice, 7, side::buy, 100, 5);
  ask(bob, {.kind = request_kind::cancel, .id = 7, .sent_at = 9});
  expect_reject(reject_reason::unknown_order);
  EXPECT_EQ(answers[0].body.of, request_kind::cancel);
  EXPECT_EQ(answers[0].to, &bob);
  ask(alice, {.kind = request_kind::cancel, .id = 7, .sent_at = 9});
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].body.kind, answer_kind::cancelled);
  EXPECT_EQ(answers[0].body.quantity, 5u);
  EXPECT_EQ(answers[0].body.sent_at, 9u);
  ask(alice, {.kind = request_kind::cancel, .id = 7});
  expect_reject(reject_reason::unknown_order);
  place(bob, 1, side::sell, 100, 5);
  EXPECT_EQ(answers.size(), 1u);
}

TEST_F(OrdersEngine, AnOrderThatWasFilledWhileItRestedCannotBeCancelled) {
  place(alice, 7, side::buy, 100, 5);
  place(bob, 1, side::sell, 100, 5);
  ask(alice, {.kind = request_kind::cancel, .id = 7});
  expect_reject(reject_reason::unknown_order);
  EXPECT_TRUE(alice.open.empty());
}

TEST_F(OrdersEngine, ForgetsAClientThatIsGone) {
  place(alice, 1, side::buy, 100, 5);
  place(alice, 2, side::sell, 200, 6, 1);
  end(alice, client_request::what::malformed);
  expect_reject(reject_reason::malformed);
  end(alice, client_request::what::gone);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].body.quantity + answers[1].body.quantity, 11u);
  EXPECT_TRUE(answers[2].last);
  EXPECT_EQ(answers[2].to, &alice);
  place(bob, 1, side::sell, 100, 5);
  EXPECT_EQ(answers.size(), 1u);  // nobody there
  EXPECT_EQ(engine.totals().cancelled_quantity, 11u);
  EXPECT_TRUE(engine.totals().balanced());
}

// Clients that believe nothing but their answers, against an engine that is asked at random.
TEST_F(OrdersEngine, WhatTheClientsHearAddsUp) {
  constexpr std::size_t each = 3000;
  std::minstd_rand random(4711);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  order_ledger ledgers[] = {order_ledger(each), order_ledger(each)};
  client* const clients[] = {&alice, &bob};
  std::vector<client_answer> heard;
  const auto deliver = [&] {
    for (const client_answer& one : heard) {
      if (!one.last) ledgers[one.to == &bob].answered(one.body);
    }
    heard.clear();
  };
  for (std::uint64_t id = 0; id < each; ++id) {
    for (const std::size_t who : {0u, 1u}) {
      const request wanted{.id = id,
                           .sent_at = id + 1,
                           .symbol = below(3),
                           .way = below(2) == 0 ? side::buy : side::sell,
                           .price = below(10),
                           .quantity = below(20)};
      ledgers[who].sent(id, wanted.quantity);
      engine.handle({clients[who], client_request::what::message, wanted}, heard);
      if (below(3) == 0) {
        ledgers[who].sent_cancel();
        const std::uint64_t old = below(static_cast<std::uint32_t>(id + 1));
        engine.handle(
            {clients[who], client_request::what::message, {.kind = request_kind::cancel, .id = old, .sent_at = 1}},
            heard);
      }
      deliver();
    }
  }
  for (client* const one : clients) engine.handle({one, client_request::what::gone, {}}, heard);
  deliver();
  load_totals both = ledgers[0].totals();
  both.add(ledgers[1].totals());
  EXPECT_EQ(both.complaint(), "");
  EXPECT_EQ(both.orders, 2 * each);
  EXPECT_GT(both.fills, each / 2);
  EXPECT_GT(both.rejects, each / 4);
  EXPECT_GT(both.cancelled, 0u);
  EXPECT_EQ(engine.totals().bought, both.bought);
  EXPECT_EQ(engine.totals().resting_quantity, 0u);
  EXPECT_TRUE(engine.totals().balanced());
}

TEST(OrdersLedger, SeesWhatCannotBe) {
  const auto after = [](std::initializer_list<answer> answers) {
    order_ledger ledger(2);
    ledger.sent(0, 10);
    for (const answer& one : answers) ledger.answered(one);
    return ledger.totals();
  };
  const answer ack{.kind = answer_kind::ack}, all{.kind = answer_kind::fill, .quantity = 10};
  EXPECT_EQ(after({}).complaint(), "1 orders sent, but 0 acks and 0 rejects");
  EXPECT_EQ(after({ack}).complaint(), "a quantity of 10 neither filled nor cancelled");
  EXPECT_EQ(after({ack, all}).complaint(), "bought 10, sold 0 (do others trade the same symbols?)");
  EXPECT_EQ(after({ack, ack}).contradictions, 1u);
  EXPECT_EQ(after({all, ack}).contradictions, 1u);  // a fill before the ack
  EXPECT_EQ(after({ack, all, all}).contradictions, 1u);
  EXPECT_EQ(after({ack, {.kind = answer_kind::fill, .quantity = 4}}).contradictions, 1u);       // 6 remain, not 0
  EXPECT_EQ(after({ack, {.kind = answer_kind::cancelled, .quantity = 9}}).contradictions, 1u);  // of 10
  EXPECT_EQ(after({ack, {.kind = answer_kind::ack, .id = 1}}).contradictions, 1u);              // never sent
  EXPECT_EQ(after({ack, {.kind = answer_kind::ack, .id = 2}}).contradictions, 1u);
  EXPECT_EQ(after({ack, {.kind = answer_kind::cancelled, .quantity = 10}}).complaint(), "");
}

TEST(OrdersHistogram, PercentilesAreWithinAThirtySecond) {
  latency_histogram counts, others;
  std::vector<std::uint64_t> samples;
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t sample = random() >> (random() % 64);
    samples.push_back(sample);
    (i % 2 == 0 ? counts : others).add(sample);
  }
  counts.add(others);
  std::sort(samples.begin(), samples.end());
  EXPECT_EQ(counts.count(), samples.size());
  EXPECT_EQ(counts.most(), samples.back());
  for (const double part : {0.0001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(samples.size())));
    const std::uint64_t exact = samples[rank - 1], given = counts.percentile(part);
    EXPECT_GE(given, exact) << part;
    EXPECT_LE(given - exact, exact / 32 + 1) << part;
  }
}

TEST(OrdersHistogram, IsExactForSmallValuesAndEmptyIsZero) {
  latency_histogram counts;
  EXPECT_EQ(counts.percentile(0.5), 0u);
  for (std::uint64_t i = 0; i <= 100; ++i) counts.add(i);
  EXPECT_EQ(counts.percentile(0.25), 25u);
  EXPECT_EQ(counts.percentile(1), 100u);
}

class OrdersOutbox : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(OrdersOutbox);

TEST_P(OrdersOutbox, TheWriterGetsAllInOrder) {
  run([] {
    constexpr std::uint64_t many = 20'000;
    outbox box(SIZE_MAX);
    std::uint64_t next = 0;
    spool::wait_group writer;
    writer.go([&] {
      std::vector<std::byte> batch;
      while (box.take(batch)) {
        std::span<const std::byte> rest(batch);
        while (!rest.empty()) {
          answer read;
          std::size_t bytes = 0;
          ASSERT_EQ(decode(rest, read, bytes), decoded::message);
          ASSERT_EQ(read.id, next++);
          rest = rest.subspan(bytes);
        }
      }
    });
    for (std::uint64_t id = 0; id < many; ++id) {
      box.add({.kind = answer_kind::ack, .id = id});
      if (id % 7 == 0) {
        ASSERT_TRUE(box.commit());
      }
    }
    ASSERT_TRUE(box.commit());
    box.finish();
    writer.wait();
    EXPECT_EQ(next, many);
  });
}

TEST_P(OrdersOutbox, GivesTheClientUpOnceWhenNobodyWrites) {
  run([] {
    outbox box(3 * 19);  // an ack is 19 bytes
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(box.add({.kind = answer_kind::ack}));
      EXPECT_TRUE(box.commit());
    }
    EXPECT_TRUE(box.add({.kind = answer_kind::ack}));
    EXPECT_FALSE(box.add({.kind = answer_kind::ack}));
    EXPECT_FALSE(box.commit());
    EXPECT_TRUE(box.add({.kind = answer_kind::ack}));
    EXPECT_TRUE(box.commit());  // dropped
    box.finish();
    std::vector<std::byte> batch;
    EXPECT_TRUE(box.take(batch));
    EXPECT_EQ(batch.size(), 3u * 19);
    EXPECT_FALSE(box.take(batch));
  });
}

TEST_P(OrdersOutbox, HoldsUpTheDecoderUntilTheWriterTookIt) {
  run([] {
    outbox box(4 * 19);
    EXPECT_TRUE(box.wait_for_room(std::chrono::hours(1)));
    for (int i = 0; i < 2; ++i) box.add({.kind = answer_kind::ack});
    EXPECT_TRUE(box.commit());
    EXPECT_FALSE(box.wait_for_room(std::chrono::milliseconds(1)));
    auto room = spool::async([&] { return box.wait_for_room(std::chrono::hours(1)); });
    std::vector<std::byte> batch;
    EXPECT_TRUE(box.take(batch));
    EXPECT_TRUE(room.get());
    for (int i = 0; i < 2; ++i) box.add({.kind = answer_kind::ack});
    EXPECT_TRUE(box.commit());
    room = spool::async([&] { return box.wait_for_room(std::chrono::hours(1)); });
    box.abandon();  // nothing to wait for any more
    EXPECT_TRUE(room.get());
  });
}

TEST_P(OrdersOutbox, AnAbandonedOneTakesAndGivesNothing) {
  run([] {
    outbox box(1000);
    box.add({.kind = answer_kind::ack});
    EXPECT_TRUE(box.commit());
    box.abandon();
    for (int i = 0; i < 1000; ++i) {
      box.add({.kind = answer_kind::ack});
      EXPECT_TRUE(box.commit());
    }
    box.finish();
    std::vector<std::byte> batch;
    EXPECT_FALSE(box.take(batch));
  });
}

class arguments {
 public:
  explicit arguments(std::vector<std::string> words) : words_(std::move(words)) {
    words_.insert(words_.begin(), "orders");
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  parse_result parsed() {
    ::optind = 0;  // a fresh start for getopt_long
    return parse(static_cast<int>(words_.size()), pointers_.data(), chosen, complaint);
  }
  options chosen;
  std::string complaint;

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

TEST(OrdersOptions, EachRoleTakesItsOwn) {
  arguments both({"--rate", "7", "--seconds", "8", "--connections", "9", "--symbols", "10"});
  EXPECT_EQ(both.parsed(), parse_result::run);
  EXPECT_EQ(both.chosen.part, options::role::both);
  EXPECT_EQ(both.chosen.load.per_second, 7u);
  EXPECT_EQ(both.chosen.load.seconds, 8u);
  EXPECT_EQ(both.chosen.load.connections, 9u);
  EXPECT_EQ(both.chosen.load.symbols, 10u);
  arguments serve({"--serve", "--port", "65535"});
  EXPECT_EQ(serve.parsed(), parse_result::run);
  EXPECT_EQ(serve.chosen.part, options::role::serve);
  EXPECT_EQ(serve.chosen.port, 65535);
  arguments connect({"--connect", "::1:80"});
  EXPECT_EQ(connect.parsed(), parse_result::run);
  EXPECT_EQ(connect.chosen.host, "::1");
  EXPECT_EQ(connect.chosen.to_port, "80");
}

TEST(OrdersOptions, ComplainsAboutTheRest) {
  const std::vector<std::vector<std::string>> wrong = {{"--rate", "0"},
                                                       {"--rate", "x"},
                                                       {"--rate"},
                                                       {"--port", "65536"},
                                                       {"--port", ""},
                                                       {"--connect", "host"},
                                                       {"--connect", ":1"},
                                                       {"--connect", "host:0"},
                                                       {"--connect", "host:1x"},
                                                       {"--serve", "--connect", "a:1"},
                                                       {"--quick"},
                                                       {"-x"},
                                                       {"file"},
                                                       {"--rate", "10000000", "--seconds", "3600"}};
  for (const auto& words : wrong) {
    arguments given(words);
    EXPECT_EQ(given.parsed(), parse_result::bad) << words.front();
    EXPECT_NE(given.complaint, "") << words.front();
  }
}

}  // namespace
