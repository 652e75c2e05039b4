// What the load generator counts and measures with.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

#include "load/latency_histogram.hpp"
#include "load/order_ledger.hpp"

namespace {

using namespace orders;

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

}  // namespace
