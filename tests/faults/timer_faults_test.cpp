// Timers whose thread cannot be had, and what they leave behind.
#include "faults.hpp"

#include <spool/spool.hpp>
#include <spool/testing/bubble.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <system_error>
#include <thread>

namespace {

using namespace std::chrono_literals;

TEST(TimerFaults, ATimerFiresThoughTheOneThatWasToStartTheThreadFailed) {
  std::promise<void> come, armed;
  bool fired = false;
  std::thread other([&] {
    come.get_future().wait();
    const spool::timer later(20ms);
    armed.set_value();
    fired = later.c().recv_for(10s).has_value();
  });
  {
    // While the first one has no thread yet, if it lets the other in at all.
    const faults::injection nth(faults::kind::thread_creation, 1, [&] {
      come.set_value();
      (void)armed.get_future().wait_for(100ms);
    });
    EXPECT_THROW(spool::timer first(0ms), std::system_error);
    EXPECT_FALSE(nth.pending());
  }
  other.join();
  EXPECT_TRUE(fired);
}

TEST(TimerFaults, AnAfterThatNobodyReceivedGoesWithItsBubble) {
  const auto leave_some = [](int bubbles) {
    for (int i = 0; i < bubbles; ++i) spool::testing::run_in_bubble([] { (void)spool::after(1h); });
  };
  leave_some(10);  // caches fill up
  const std::int64_t before = faults::live_allocations();
  leave_some(100);
  EXPECT_LT(faults::live_allocations() - before, 32);
}

TEST(TimerFaults, AContextWithADeadlineThatOutlivesItsBubbleLeavesNothing) {
  const auto leave_some = [](int bubbles) {
    for (int i = 0; i < bubbles; ++i) {
      (void)spool::testing::run_in_bubble([] { return spool::with_timeout(spool::context::background(), 1h); });
    }
  };
  leave_some(10);
  const std::int64_t before = faults::live_allocations();
  leave_some(100);
  EXPECT_LT(faults::live_allocations() - before, 32);
}

}  // namespace
