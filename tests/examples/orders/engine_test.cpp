// What the matching engine answers.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "client.hpp"
#include "load/order_ledger.hpp"
#include "matching_engine.hpp"

namespace {

using namespace orders;

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

}  // namespace
