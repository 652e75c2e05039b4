// this_fiber: yield, sleep, identity, names, pins.
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class ThisFiber : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ThisFiber);

TEST(ThisFiberOnOneWorker, YieldTakesTurns) {
  runtime rt({.threads = 1});
  constexpr int fibers = 8, turns = 200;
  std::array<int, fibers> done{};
  int widest = 0;
  latch all_started(fibers);
  rt.run([&] {
    for (int& mine : done) {
      go([&] {
        all_started.arrive_and_wait();
        for (int i = 0; i < turns; ++i) {
          ++mine;
          const auto [least, most] = std::minmax_element(done.begin(), done.end());
          widest = std::max(widest, *most - *least);
          this_fiber::yield();
        }
      });
    }
  });
  EXPECT_EQ(std::count(done.begin(), done.end(), turns), fibers);
  EXPECT_LE(widest, turns / 4) << "some fiber was left behind";
}

TEST(ThisFiberOnOneWorker, YieldLetsAQueuedTaskRun) {
  runtime rt({.threads = 1});
  rt.run([] {
    bool ran = false;
    go([&] { ran = true; });
    EXPECT_FALSE(ran);
    spool_test::wait_until([&] { return ran; });
  });
}

TEST_P(ThisFiber, YieldOnAPlainThreadReturns) {
  this_fiber::yield();
  EXPECT_FALSE(this_fiber::id());
}

TEST_P(ThisFiber, SleepTakesAtLeastItsTime) {
  run([] {
    const auto begin = std::chrono::steady_clock::now();
    this_fiber::sleep_for(5ms);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
    const auto until = std::chrono::steady_clock::now() + 3ms;
    this_fiber::sleep_until(until);
    EXPECT_GE(std::chrono::steady_clock::now(), until);
  });
  const auto begin = std::chrono::steady_clock::now();
  this_fiber::sleep_for(2ms);  // on a plain thread
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 2ms);
}

TEST_P(ThisFiber, SleepOfNothingOrLessReturns) {
  run([] {
    this_fiber::sleep_for(0ms);
    this_fiber::sleep_for(-1h);
    this_fiber::sleep_until(std::chrono::steady_clock::time_point::min());
    this_fiber::sleep_until(std::chrono::system_clock::now() - 1h);
  });
}

TEST_P(ThisFiber, SleepersWakeInTheOrderOfTheirDeadlines) {
  std::vector<int> order;
  mutex guard;
  run([&] {
    const auto start = std::chrono::steady_clock::now() + 20ms;
    for (const int i : {3, 1, 4, 2, 0}) {
      go([&, start, i] {
        this_fiber::sleep_until(start + i * 30ms);
        const std::lock_guard lock(guard);
        order.push_back(i);
      });
    }
  });
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
}

TEST_P(ThisFiber, ThousandsSleepAtOnce) {
  constexpr int sleepers = spool_test::live_fibers(5000);
  std::atomic<int> woken{0};
  run([&] {
    for (int i = 0; i < sleepers; ++i) {
      go([&woken, i] {
        this_fiber::sleep_for(std::chrono::microseconds(i % 3000));
        ++woken;
      });
    }
  });
  EXPECT_EQ(woken, sleepers);
}

TEST_P(ThisFiber, IdsAreUniqueAndStay) {
  mutex guard;
  std::set<std::uint64_t> ids;
  run([&] {
    for (int i = 0; i < 1000; ++i) {
      go([&] {
        const fiber_id mine = this_fiber::id();
        EXPECT_TRUE(mine);
        this_fiber::yield();
        EXPECT_EQ(this_fiber::id(), mine);
        const std::lock_guard lock(guard);
        ids.insert(mine.value());
      });
    }
  });
  EXPECT_EQ(ids.size(), 1000u);
}

TEST_P(ThisFiber, AnIdIsNotUsedAgainByALaterFiberOnTheSameStack) {
  run([] {
    fiber_id last;
    for (int i = 0; i < 100; ++i) {
      const fiber_id id = async([] { return this_fiber::id(); }).get();
      EXPECT_NE(id, last);
      last = id;
    }
  });
}

TEST(ThisFiberOnAPlainThread, HasNoIdAndNoName) {
  EXPECT_EQ(this_fiber::id(), fiber_id());
  EXPECT_EQ(this_fiber::id().value(), 0u);
  EXPECT_EQ(this_fiber::name(), "");
  EXPECT_THROW(this_fiber::set_name("x"), std::logic_error);
  const this_fiber::pin harmless;
}

TEST_P(ThisFiber, NameStaysOverWaitsAndEndsWithTheFiber) {
  run([] {
    wait_group all;
    for (int i = 0; i < 200; ++i) {
      all.go([i] {
        EXPECT_EQ(this_fiber::name(), "") << "left by an earlier fiber";
        const std::string mine = "fiber " + std::to_string(i);
        this_fiber::set_name(mine);
        this_fiber::yield();
        EXPECT_EQ(this_fiber::name(), mine);
      });
    }
    all.wait();
    this_fiber::set_name("one");
    this_fiber::set_name("two");
    EXPECT_EQ(this_fiber::name(), "two");
    this_fiber::set_name("");
    EXPECT_EQ(this_fiber::name(), "");
  });
}

TEST_P(ThisFiber, APinnedFiberStaysOnItsThread) {
  std::atomic<bool> stop{false};  // outlives the fibers that read it: run waits for them after its function returned
  run([&stop] {
    for (int i = 0; i < 16; ++i) {  // something to steal, and thieves
      go([&] {
        while (!stop) {
          spool_test::compute_for(5us);
          this_fiber::yield();
        }
      });
    }
    wait_group all;
    for (int i = 0; i < 8; ++i) {
      all.go([] {
        const this_fiber::pin here;
        const auto home = spool_test::thread_now();
        channel<int> ping, pong;
        go([ping, pong] {
          for (const int v : ping) EXPECT_TRUE(pong.send(v));
        });
        for (int k = 0; k < 50; ++k) {
          this_fiber::yield();
          ASSERT_EQ(spool_test::thread_now(), home) << "after a yield";
          this_fiber::sleep_for(20us);
          ASSERT_EQ(spool_test::thread_now(), home) << "after a sleep";
          EXPECT_TRUE(ping.send(k));
          EXPECT_EQ(pong.recv(), k);
          ASSERT_EQ(spool_test::thread_now(), home) << "after a message";
          blocking([] {});
          ASSERT_EQ(spool_test::thread_now(), home) << "after a blocking call";
        }
        ping.close();
      });
    }
    all.wait();
    stop = true;
  });
}

// Each yields until those of the other kind have gone on, so that neither may be put off for as long as others are ready. Two
// of a kind: one alone is not ready while it yields.
TEST_P(ThisFiber, PinnedFibersAndOthersHaveTheirTurns) {
  run([] {
    constexpr int turns = 100;
    std::atomic<int> pinned{0}, other{0};
    wait_group all;
    for (int i = 0; i < 2; ++i) {
      all.go([&] {
        const this_fiber::pin here;
        for (; other < turns; ++pinned) this_fiber::yield();
        pinned += turns;
      });
      all.go([&] {
        for (; pinned < turns; ++other) this_fiber::yield();
        other += turns;
      });
    }
    all.wait();
  });
}

TEST_P(ThisFiber, PinsNest) {
  run([] {
    const auto home = spool_test::thread_now();
    const this_fiber::pin outer;
    {
      const this_fiber::pin inner;
    }
    for (int k = 0; k < 200; ++k) {
      go([] { spool_test::compute_for(20us); });
      this_fiber::yield();
      ASSERT_EQ(spool_test::thread_now(), home);
    }
  });
}

class ThisFiberOnSeveralThreads : public spool_test::WithWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, ThisFiberOnSeveralThreads, testing::Values(2, 4, 8),
                         [](const auto& workers) { return std::to_string(workers.param); });

// Between the worker's look at its queue and its pop, a thief may have taken the last task.
TEST_P(ThisFiberOnSeveralThreads, APinnedFiberIsNotForgottenWhenItsWorkerIsRobbed) {
  run([] {
    const this_fiber::pin here;
    for (int k = 0; k < 20'000; ++k) {
      const std::chrono::nanoseconds each(k % 64 * 100);
      for (int i = 0; i < 2; ++i) go([each] { spool_test::compute_for(each); });
      this_fiber::yield();
    }
  });
}

TEST_P(ThisFiberOnSeveralThreads, UnpinnedFibersSpread) {
  spool_test::migration_watch watch;
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  run([&] {
    wait_group all;
    for (int i = 0; i < 32; ++i) {
      all.go([&] {
        spool_test::migration_watch::trail trail(watch);
        while (!watch.seen() && std::chrono::steady_clock::now() < give_up) {
          spool_test::compute_for(20us);
          this_fiber::yield();
          trail.look();
        }
      });
    }
    all.wait();
  });
  EXPECT_TRUE(watch.seen());
}

}  // namespace
