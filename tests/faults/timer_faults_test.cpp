// Timers whose thread cannot be had.
#include "faults.hpp"

#include <spool/spool.hpp>

#include <gtest/gtest.h>

#include <chrono>
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

}  // namespace
