// The arithmetic of retry's delays.
#include <resilience/backoff.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::detail::grown;
using spool::detail::jittered;
using spool::detail::random_unit;
using std::chrono::nanoseconds;

TEST(Backoff, WithoutJitterTheDelayIsItself) {
  EXPECT_EQ(jittered(1e8, 0, 10s, 0.0), 100ms);
  EXPECT_EQ(jittered(1e8, 0, 10s, 0.999), 100ms);
}

TEST(Backoff, JitterSpreadsEvenlyToBothSides) {
  EXPECT_EQ(jittered(1e8, 0.5, 10s, 0.0), 50ms);
  EXPECT_EQ(jittered(1e8, 0.5, 10s, 0.5), 100ms);
  EXPECT_EQ(jittered(1e8, 0.5, 10s, 0.75), 125ms);
  EXPECT_EQ(jittered(1e8, 1.0, 10s, 0.0), 0ms);
}

TEST(Backoff, AtTheBoundTheDelayIsStillSpread) {
  EXPECT_EQ(jittered(1e10, 0.5, 10s, 0.0), 5s);
  EXPECT_EQ(jittered(1e10, 0.5, 10s, 0.5), 7500ms);
  EXPECT_LE(jittered(1e10, 0.5, 10s, 0.9999), 10s);
}

TEST(Backoff, GrowsByTheMultiplierUpToTheBound) {
  EXPECT_EQ(grown(1e8, 2.0, 10s), 2e8);
  EXPECT_EQ(grown(8e9, 2.0, 10s), 1e10);
  EXPECT_EQ(grown(1e10, 2.0, 10s), 1e10);
}

TEST(Backoff, NothingOverflows) {
  const double largest = static_cast<double>(nanoseconds::max().count());
  EXPECT_EQ(grown(1e10, std::numeric_limits<double>::max(), nanoseconds::max()), largest);
  EXPECT_EQ(grown(largest, std::numeric_limits<double>::max(), nanoseconds::max()), largest);
  EXPECT_EQ(jittered(largest, 0, nanoseconds::max(), 0.5), nanoseconds::max());
  EXPECT_EQ(jittered(largest, 1.0, nanoseconds::max(), 0.99999999999999), nanoseconds(9223372036854683648));
  EXPECT_EQ(jittered(0, 0.5, 0ns, 0.5), 0ns);
}

TEST(Backoff, RandomNumbersFillTheUnitInterval) {
  std::vector<int> tenths(10);
  for (int i = 0; i < 10'000; ++i) {
    const double x = random_unit();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    ++tenths[static_cast<std::size_t>(x * 10)];
  }
  // 1000 expected each, with a standard deviation of 30.
  EXPECT_GT(*std::min_element(tenths.begin(), tenths.end()), 700);
  EXPECT_LT(*std::max_element(tenths.begin(), tenths.end()), 1300);
}

}  // namespace
