#include <runtime/timer_queue.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <random>

namespace {

using spool::detail::time_point;
using spool::detail::timer_node;
using spool::detail::timer_queue;

struct alarm_node : timer_node {
  alarm_node() : timer_node(&ring, mode::unlocked) {}
  static void ring(timer_node& node, timer_queue*) noexcept { static_cast<alarm_node&>(node).armed = false; }
  bool armed = false;
};

/// A queue of its own, and what the heap should hold.
class TimerQueue : public ::testing::TestWithParam<unsigned> {
 protected:
  TimerQueue() : nodes(100) {}
  ~TimerQueue() override {
    static timer_queue& heir = timer_queue::acquire();
    queue.forget();
    timer_queue::release(queue, heir);
  }

  time_point earliest() const {
    time_point first = time_point::max();
    for (const alarm_node& n : nodes) {
      if (n.armed) first = std::min(first, n.when);
    }
    return first;
  }

  timer_queue& queue = timer_queue::acquire();
  std::deque<alarm_node> nodes;
};
INSTANTIATE_TEST_SUITE_P(Seeds, TimerQueue, ::testing::Range(1u, 21u));

// What a worker sleeps until is the earliest of those that are armed, whatever was armed, cancelled and fired before.
TEST_P(TimerQueue, AlwaysTellsTheEarliestDeadline) {
  std::mt19937 random(GetParam());
  time_point now{};
  for (int step = 0; step < 2000; ++step) {
    alarm_node& n = nodes[random() % nodes.size()];
    if (random() % 20 == 0) {
      now += std::chrono::milliseconds(random() % 100);
      queue.fire_due(now);
      EXPECT_GT(earliest(), now);
    } else if (n.armed) {
      n.armed = false;
      ASSERT_TRUE(spool::detail::cancel_timer(n));
    } else {
      const bool first = queue.arm(n, now + std::chrono::milliseconds(1 + random() % 1000));
      n.armed = true;
      EXPECT_TRUE(!first || earliest() == n.when);
    }
    ASSERT_EQ(queue.next_deadline(), earliest()) << "step " << step;
  }
}

TEST_P(TimerQueue, FiresInTheOrderOfTheirTimes) {
  std::mt19937 random(GetParam());
  for (alarm_node& n : nodes) {
    queue.arm(n, time_point{} + std::chrono::milliseconds(random() % 1000));
    n.armed = true;
  }
  while (!queue.empty()) {
    const time_point due = queue.next_deadline();
    ASSERT_EQ(due, earliest());
    queue.fire_due(due);
    ASSERT_GT(earliest(), due);
  }
  EXPECT_EQ(earliest(), time_point::max());
}

}  // namespace
