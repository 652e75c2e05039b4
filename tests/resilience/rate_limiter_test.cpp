// rate_limiter: what is given out, to whom, and what a wait that was given up gives back.
#include <spool/resilience/rate_limiter.hpp>

#include <support/runtimes.hpp>

#include "manual_clock.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool_test::manual_clock;
using std::chrono::nanoseconds;

int taken(rate_limiter& l) {
  int n = 0;
  while (l.try_acquire()) ++n;
  return n;
}

class RateLimiter : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(RateLimiter);

// Under a clock that stands still, waits still end by real time: far enough away for the slowest machine. A power of
// two, for exact arithmetic.
constexpr auto unit = 1024s;
constexpr double per_unit = 1.0 / 1024;

/// Lets a test wait until acquire has made its reservation, which delay() shows.
void await_delay(const rate_limiter& l, nanoseconds d) {
  spool_test::wait_until([&] { return l.delay() >= d; });
}

TEST(RateLimiterBucket, IsFullAtFirstAndRefillsByTheRate) {
  manual_clock clock;
  rate_limiter l({.per_second = 10, .burst = 5, .now = clock});
  EXPECT_EQ(taken(l), 5);
  clock.advance(99ms);
  EXPECT_FALSE(l.try_acquire());
  clock.advance(1ms);
  EXPECT_TRUE(l.try_acquire());
  EXPECT_FALSE(l.try_acquire());
  clock.advance(300ms);
  EXPECT_EQ(taken(l), 3);
}

TEST(RateLimiterBucket, HoldsNoMoreThanTheBurst) {
  manual_clock clock;
  rate_limiter l({.per_second = 1000, .burst = 7, .now = clock});
  clock.advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(taken(l), 7);
}

TEST(RateLimiterBucket, GivesSeveralOrNone) {
  manual_clock clock;
  rate_limiter l({.per_second = 10, .burst = 5, .now = clock});
  EXPECT_TRUE(l.try_acquire(3));
  EXPECT_FALSE(l.try_acquire(3));
  EXPECT_TRUE(l.try_acquire(2));
  EXPECT_TRUE(l.try_acquire(0));
  EXPECT_FALSE(l.try_acquire());
}

TEST(RateLimiterBucket, AFractionOfATokenPerSecond) {
  manual_clock clock;
  rate_limiter l({.per_second = 0.01, .burst = 1, .now = clock});
  EXPECT_EQ(taken(l), 1);
  clock.advance(99s);
  EXPECT_EQ(taken(l), 0);
  clock.advance(1s);
  EXPECT_EQ(taken(l), 1);
}

TEST(RateLimiterBucket, AHugeRate) {
  manual_clock clock;
  rate_limiter l({.per_second = 1e12, .burst = 1'000'000, .now = clock});
  EXPECT_TRUE(l.try_acquire(1'000'000));
  EXPECT_FALSE(l.try_acquire());
  clock.advance(1ns);
  EXPECT_TRUE(l.try_acquire(1000));
  EXPECT_FALSE(l.try_acquire());
}

TEST(RateLimiterBucket, OverALongTimeNothingDrifts) {
  manual_clock clock;
  rate_limiter l({.per_second = 3, .burst = 2, .now = clock});
  EXPECT_EQ(taken(l), 2);
  int given = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    clock.advance(100us);  // 100 s in all
    given += taken(l);
  }
  EXPECT_EQ(given, 300);
}

TEST(RateLimiterBucket, StepsThatAddUpToATokenGiveIt) {
  manual_clock clock;
  rate_limiter l({.per_second = 1000, .burst = 10, .now = clock});
  EXPECT_EQ(taken(l), 10);
  for (int round = 0; round < 1000; ++round) {
    for (int i = 0; i < 9; ++i) {
      clock.advance(100us);
      ASSERT_FALSE(l.try_acquire()) << round;
    }
    clock.advance(100us);
    ASSERT_TRUE(l.try_acquire()) << round;
  }
}

TEST(RateLimiterBucket, AClockThatRunsBackwardsGivesNothing) {
  manual_clock clock;
  rate_limiter l({.per_second = 10, .burst = 1, .now = clock});
  EXPECT_EQ(taken(l), 1);
  clock.advance(-1h);
  EXPECT_EQ(taken(l), 0);
  clock.advance(1h);
  EXPECT_EQ(taken(l), 0);
  clock.advance(100ms);
  EXPECT_EQ(taken(l), 1);
}

TEST(RateLimiterDelay, SaysHowLongAcquireWouldWait) {
  manual_clock clock;
  rate_limiter l({.per_second = 10, .burst = 5, .now = clock});
  EXPECT_EQ(l.delay(5), 0ns);
  EXPECT_TRUE(l.try_acquire(4));
  EXPECT_EQ(l.delay(), 0ns);
  EXPECT_EQ(l.delay(3), 200ms);
  clock.advance(150ms);
  EXPECT_EQ(l.delay(3), 50ms);
  EXPECT_EQ(l.delay(0), 0ns);
}

TEST(RateLimiterDelay, MayBeLongerThanTheClockHolds) {
  manual_clock clock;
  rate_limiter l({.per_second = 1e-300, .burst = 1, .now = clock});
  EXPECT_EQ(taken(l), 1);
  EXPECT_GT(l.delay(), std::chrono::hours(24 * 365 * 200));
  const cancel_scope scope = with_timeout(context::background(), 1h);
  EXPECT_EQ(l.acquire(scope.ctx()), errc::deadline_exceeded);
}

TEST_P(RateLimiter, WaitsForItsTokens) {
  run([] {
    rate_limiter l({.per_second = 10'000, .burst = 2});
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 22; ++i) EXPECT_FALSE(l.acquire(context::background()));
    l.acquire(2);
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 2200us);  // 24 tokens, of which 2 were there
  });
}

TEST_P(RateLimiter, GivesOutNoMoreThanTheRateToManyFibers) {
  run([] {
    rate_limiter l({.per_second = 50'000, .burst = 5});
    const auto begun = std::chrono::steady_clock::now();
    wait_group all;
    for (int f = 0; f < 20; ++f) {
      all.go([&] {
        for (int i = 0; i < 10; ++i) l.acquire();
      });
    }
    all.wait();
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 195 * 20us);
  });
}

TEST(RateLimiterOrder, ServesInTheOrderOfArrivalWhateverTheNumber) {
  runtime rt({.threads = 1});
  std::string order;
  rt.run([&] {
    rate_limiter l(
        {.per_second = 5000, .burst = 5, .now = manual_clock()});  // frozen: nobody is served before he waits
    EXPECT_TRUE(l.try_acquire(5));
    wait_group all;
    const auto ask = [&](char name, std::ptrdiff_t n) {
      all.go([&, name, n] {
        l.acquire(n);
        order += name;
      });
      this_fiber::yield();
    };
    ask('a', 5);
    ask('b', 1);
    ask('c', 3);
    ask('d', 1);
    all.wait();
  });
  EXPECT_EQ(order, "abcd");
}

TEST_P(RateLimiter, TryAcquireDoesNotPassThoseWhoWait) {
  run([] {
    manual_clock clock;
    rate_limiter l({.per_second = per_unit, .burst = 10, .now = clock});
    EXPECT_TRUE(l.try_acquire(10));
    const cancel_scope scope = with_cancel(context::background());
    auto waiter = async([&] { return l.acquire(scope.ctx(), 10); });
    await_delay(l, 11 * unit);
    clock.advance(9 * unit);
    EXPECT_FALSE(l.try_acquire()) << "nine tokens are there, but they are spoken for";
    scope.cancel();
    EXPECT_EQ(waiter.get(), errc::canceled);
    EXPECT_TRUE(l.try_acquire(9));
  });
}

TEST_P(RateLimiter, CancelledWaitsGiveEverythingBackFromTheEnd) {
  run([] {
    rate_limiter l({.per_second = per_unit, .burst = 10, .now = manual_clock()});
    EXPECT_TRUE(l.try_acquire(10));
    const cancel_scope first = with_cancel(context::background());
    const cancel_scope second = with_cancel(context::background());
    auto a = async([&] { return l.acquire(first.ctx(), 5); });
    await_delay(l, 6 * unit);
    auto b = async([&] { return l.acquire(second.ctx(), 4); });
    await_delay(l, 10 * unit);
    EXPECT_EQ(l.delay(), 10 * unit);
    second.cancel();
    EXPECT_EQ(b.get(), errc::canceled);
    EXPECT_EQ(l.delay(), 6 * unit);
    first.cancel();
    EXPECT_EQ(a.get(), errc::canceled);
    EXPECT_EQ(l.delay(), unit);
  });
}

TEST_P(RateLimiter, AWaitCancelledInTheMiddleLeavesItsTokensToThoseWhoComeLater) {
  run([] {
    rate_limiter l({.per_second = per_unit, .burst = 10, .now = manual_clock()});
    EXPECT_TRUE(l.try_acquire(10));
    const cancel_scope first = with_cancel(context::background());
    const cancel_scope second = with_cancel(context::background());
    auto a = async([&] { return l.acquire(first.ctx(), 5); });
    await_delay(l, 6 * unit);
    auto b = async([&] { return l.acquire(second.ctx(), 4); });  // after 9 s
    await_delay(l, 10 * unit);
    first.cancel();
    EXPECT_EQ(a.get(), errc::canceled);
    EXPECT_EQ(l.delay(5), 9 * unit) << "five are free then; but no sooner than b, who came first";
    EXPECT_EQ(l.delay(6), 10 * unit);
    second.cancel();
    EXPECT_EQ(b.get(), errc::canceled);
    EXPECT_EQ(l.delay(5), 5 * unit) << "as if nobody had asked";
  });
}

TEST_P(RateLimiter, WhatIsGivenBackNeverExceedsTheBurst) {
  run([] {
    rate_limiter l({.per_second = per_unit, .burst = 1, .now = manual_clock()});
    EXPECT_TRUE(l.try_acquire());
    const cancel_scope first = with_cancel(context::background());
    const cancel_scope rest = with_cancel(context::background());
    auto a = async([&] { return l.acquire(first.ctx()); });  // after 1 s
    await_delay(l, 2 * unit);
    auto b = async([&] { return l.acquire(rest.ctx()); });  // after 2 s
    await_delay(l, 3 * unit);
    auto c = async([&] { return l.acquire(rest.ctx()); });  // after 3 s
    await_delay(l, 4 * unit);
    first.cancel();
    EXPECT_EQ(a.get(), errc::canceled);
    EXPECT_EQ(l.delay(), 4 * unit) << "the token of the first second has nowhere to be kept when b's comes in";
    rest.cancel();
    EXPECT_EQ(b.get(), errc::canceled);
    EXPECT_EQ(c.get(), errc::canceled);
    EXPECT_EQ(l.delay(), unit);
  });
}

TEST_P(RateLimiter, AWaitWhoseMomentHasComeIsServedEvenIfItIsCancelledThen) {
  run([] {
    manual_clock clock;
    rate_limiter l({.per_second = per_unit, .burst = 2, .now = clock});
    EXPECT_TRUE(l.try_acquire(2));
    const cancel_scope scope = with_cancel(context::background());
    auto waiter = async([&] { return l.acquire(scope.ctx(), 2); });
    await_delay(l, 3 * unit);
    clock.advance(2 * unit);
    EXPECT_FALSE(l.try_acquire()) << "they went to the wait, which has not woken up";
    scope.cancel();
    EXPECT_FALSE(waiter.get());
    clock.advance(unit);
    EXPECT_EQ(taken(l), 1);
  });
}

TEST_P(RateLimiter, CancellingManyAtOnceLeavesTheBucketAsItWas) {
  run([] {
    rate_limiter l({.per_second = per_unit, .burst = 4, .now = manual_clock()});
    EXPECT_TRUE(l.try_acquire(4));
    const cancel_scope scope = with_cancel(context::background());
    std::atomic<int> cancelled = 0;
    wait_group all;
    for (int i = 0; i < 1000; ++i) {
      all.go([&, i] { cancelled += l.acquire(scope.ctx(), 1 + i % 4) == errc::canceled; });
    }
    await_delay(l, 2501 * unit);
    scope.cancel();
    all.wait();
    EXPECT_EQ(cancelled, 1000);
    EXPECT_EQ(l.delay(), unit);
  });
}

TEST(RateLimiterContext, ADeadlineBeforeTheTokensEndsItAtOnceAndCostsNothing) {
  rate_limiter l({.per_second = 1.0 / 3600, .burst = 1});
  const cancel_scope soon = with_timeout(context::background(), 30min);
  EXPECT_FALSE(l.acquire(soon.ctx()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(l.acquire(soon.ctx()), errc::deadline_exceeded);
  EXPECT_FALSE(soon.ctx().done());
  EXPECT_LE(l.delay(), 1h);
}

TEST(RateLimiterContext, ADeadlineAfterTheTokensDoesNot) {
  rate_limiter l({.per_second = 1000, .burst = 1});
  const cancel_scope scope = with_timeout(context::background(), 1h);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(l.acquire(scope.ctx()));
}

TEST(RateLimiterContext, OneThatIsDoneWinsOverTokensThatAreThere) {
  rate_limiter l({.per_second = 1, .burst = 1, .now = manual_clock()});
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  EXPECT_EQ(l.acquire(scope.ctx()), errc::canceled);
  EXPECT_EQ(l.acquire(scope.ctx(), 0), errc::canceled);
  EXPECT_EQ(taken(l), 1);
}

TEST(RateLimiterCall, CallsOrSaysRateLimited) {
  manual_clock clock;
  rate_limiter l({.per_second = 1, .burst = 2, .now = clock});
  static_assert(std::is_same_v<decltype(l.try_call([] {})), error>);
  static_assert(std::is_same_v<decltype(l.try_call([] { return 1; })), result<int>>);
  EXPECT_EQ(l.try_call([] { return 1; }).value(), 1);
  EXPECT_EQ(l.try_call([] { throw std::runtime_error("boom"); }).message(), "boom");
  bool called = false;
  EXPECT_EQ(l.try_call([&] { called = true; }), errc::rate_limited);
  EXPECT_EQ(l.try_call([&] { return called = true; }).error(), errc::rate_limited);
  EXPECT_FALSE(called);
}

TEST_P(RateLimiter, FibersAndPlainThreadsShareIt) {
  rate_limiter l({.per_second = 100'000, .burst = 3});
  std::atomic<int> served = 0;
  const auto begun = std::chrono::steady_clock::now();
  const auto work = [&] {
    for (int i = 0; i < 100; ++i) {
      l.acquire(1 + i % 3);
      ++served;
    }
  };
  std::thread one(work);
  std::thread two(work);
  run([&] {
    wait_group all;
    for (int f = 0; f < 3; ++f) all.go(work);
    all.wait();
  });
  one.join();
  two.join();
  EXPECT_EQ(served, 500);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, (5 * 199 - 3) * 10us);
}

TEST(RateLimiterMisuse, BadOptionsAndNumbersThrow) {
  EXPECT_THROW(rate_limiter({.per_second = 0}), std::invalid_argument);
  EXPECT_THROW(rate_limiter({.per_second = -1}), std::invalid_argument);
  EXPECT_THROW(rate_limiter({.per_second = std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
  EXPECT_THROW(rate_limiter({.per_second = std::numeric_limits<double>::infinity()}), std::invalid_argument);
  EXPECT_THROW(rate_limiter({.burst = 0}), std::invalid_argument);
  rate_limiter l({.per_second = 1, .burst = 2});
  EXPECT_THROW(l.try_acquire(3), std::invalid_argument);
  EXPECT_THROW(l.try_acquire(-1), std::invalid_argument);
  EXPECT_THROW(l.acquire(3), std::invalid_argument);
  EXPECT_THROW((void)l.acquire(context::background(), 3), std::invalid_argument);
  EXPECT_THROW((void)l.delay(3), std::invalid_argument);
  EXPECT_EQ(taken(l), 2);
}

}  // namespace
