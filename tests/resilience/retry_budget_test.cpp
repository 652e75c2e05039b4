#include <spool/resilience/retry_budget.hpp>

#include "manual_clock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::retry_budget;
using spool_test::manual_clock;

int withdrawn(retry_budget& budget) {
  int n = 0;
  while (budget.try_withdraw()) ++n;
  return n;
}

TEST(RetryBudget, CallsPayForRetriesByTheRatio) {
  retry_budget budget({.ratio = 0.1, .min_per_second = 0, .now = manual_clock()});
  EXPECT_FALSE(budget.try_withdraw());
  for (int i = 0; i < 9; ++i) budget.deposit();
  EXPECT_FALSE(budget.try_withdraw());
  budget.deposit();
  EXPECT_TRUE(budget.try_withdraw());
  EXPECT_FALSE(budget.try_withdraw());
  for (int i = 0; i < 500; ++i) budget.deposit();
  EXPECT_EQ(withdrawn(budget), 50);
}

TEST(RetryBudget, BeginsWithOneSecondsWorth) {
  retry_budget budget({.min_per_second = 7, .now = manual_clock()});
  EXPECT_DOUBLE_EQ(budget.available(), 7);
  EXPECT_EQ(withdrawn(budget), 7);
}

TEST(RetryBudget, TimePaysIn) {
  manual_clock clock;
  retry_budget budget({.ratio = 0, .min_per_second = 4, .now = clock});
  EXPECT_EQ(withdrawn(budget), 4);
  clock.advance(249ms);
  EXPECT_FALSE(budget.try_withdraw());
  clock.advance(1ms);
  EXPECT_TRUE(budget.try_withdraw());
  EXPECT_FALSE(budget.try_withdraw());
  clock.advance(2s);
  EXPECT_DOUBLE_EQ(budget.available(), 8);
  EXPECT_EQ(withdrawn(budget), 8);
}

TEST(RetryBudget, AskingOftenLosesNoTime) {
  manual_clock clock;
  retry_budget budget({.ratio = 0, .min_per_second = 0.5, .now = clock});
  int n = withdrawn(budget);
  for (int i = 0; i < 100'000; ++i) {
    clock.advance(100us);  // 10 s in all: 5 tokens, besides the half one of the beginning
    n += withdrawn(budget);
  }
  EXPECT_EQ(n, 5);
  EXPECT_NEAR(budget.available(), 0.5, 0.01);
}

TEST(RetryBudget, SavesNoMoreThanItsBound) {
  manual_clock clock;
  retry_budget budget({.ratio = 0.5, .min_per_second = 100, .max_saved = 3, .now = clock});
  EXPECT_DOUBLE_EQ(budget.available(), 3);
  clock.advance(1h);
  for (int i = 0; i < 1000; ++i) budget.deposit();
  EXPECT_DOUBLE_EQ(budget.available(), 3);
  EXPECT_EQ(withdrawn(budget), 3);
}

TEST(RetryBudget, WhatIsGivenBackIsSavedUpToTheBound) {
  retry_budget budget({.ratio = 0, .min_per_second = 2, .max_saved = 2, .now = manual_clock()});
  EXPECT_TRUE(budget.try_withdraw());
  budget.give_back();
  EXPECT_DOUBLE_EQ(budget.available(), 2);
  budget.give_back();
  EXPECT_DOUBLE_EQ(budget.available(), 2);
  EXPECT_EQ(withdrawn(budget), 2);
}

TEST(RetryBudget, HugeNumbersDoNotOverflow) {
  manual_clock clock;
  retry_budget budget({.ratio = 1e300, .min_per_second = 1e300, .max_saved = 1e300, .now = clock});
  for (int i = 0; i < 1000; ++i) {
    budget.deposit();
    clock.advance(std::chrono::hours(24 * 30));
    ASSERT_TRUE(budget.try_withdraw());
    ASSERT_GT(budget.available(), 0);
  }
}

TEST(RetryBudget, ManyThreadsTakeOutNoMoreThanWasPaidIn) {
  retry_budget budget({.ratio = 0.25, .min_per_second = 0, .max_saved = 1e6, .now = manual_clock()});
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        budget.deposit();
        if (budget.try_withdraw()) ++taken;
      }
    });
  }
  for (auto& t : threads) t.join();
  taken += withdrawn(budget);
  EXPECT_EQ(taken, 10'000);
}

TEST(RetryBudgetMisuse, BadOptionsThrow) {
  EXPECT_THROW(retry_budget({.ratio = -1}), std::invalid_argument);
  EXPECT_THROW(retry_budget({.min_per_second = -1}), std::invalid_argument);
  EXPECT_THROW(retry_budget({.ratio = std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
  EXPECT_THROW(retry_budget({.min_per_second = std::numeric_limits<double>::infinity()}), std::invalid_argument);
  EXPECT_THROW(retry_budget({.max_saved = 0.5}), std::invalid_argument);
}

}  // namespace
