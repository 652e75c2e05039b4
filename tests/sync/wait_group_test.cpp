#include <spool/sync/wait_group.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/sync/future.hpp>

#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::context;
using spool::wait_group;

class WaitGroup : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(WaitGroup);

TEST_P(WaitGroup, WaitReturnsAfterEveryTask) {
  std::atomic<int> ended{0};
  run([&] {
    wait_group all;
    for (int i = 0; i < 100; ++i) {
      all.go([&] {
        spool::this_fiber::yield();
        ++ended;
      });
    }
    all.wait();
    EXPECT_EQ(ended, 100);
  });
}

TEST_P(WaitGroup, WaitOnZeroReturnsAtOnce) {
  run([] {
    wait_group none;
    none.wait();
    EXPECT_TRUE(none.wait_for(0ms));
    EXPECT_FALSE(none.wait(context::background()));
  });
}

TEST_P(WaitGroup, EveryWaiterIsWoken) {
  std::atomic<int> through{0};
  run([&] {
    wait_group work;
    work.add(2);
    wait_group waiters;
    for (int i = 0; i < 8; ++i) {
      waiters.go([&] {
        work.wait();
        ++through;
      });
    }
    work.done();
    for (int i = 0; i < 20; ++i) spool::this_fiber::yield();
    EXPECT_EQ(through, 0);
    work.done();
    waiters.wait();
  });
  EXPECT_EQ(through, 8);
}

TEST_P(WaitGroup, CanBeUsedAgain) {
  run([] {
    wait_group all;
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> ended{0};
      for (int i = 0; i < 4; ++i) all.go([&] { ++ended; });
      all.wait();
      ASSERT_EQ(ended, 4);
    }
  });
}

TEST(WaitGroupMisuse, CounterBelowZeroThrowsAndChangesNothing) {
  wait_group g;
  EXPECT_THROW(g.done(), std::logic_error);
  EXPECT_THROW(g.add(-1), std::logic_error);
  g.add(2);
  EXPECT_THROW(g.add(-3), std::logic_error);
  EXPECT_THROW(g.add(std::numeric_limits<std::ptrdiff_t>::max()), std::logic_error);
  g.add(-2);
  g.wait();
}

TEST_P(WaitGroup, TaskMayAddTasks) {
  std::atomic<int> ended{0};
  run([&] {
    wait_group all;
    struct grow {
      wait_group& all;
      std::atomic<int>& ended;
      int depth;
      void operator()() const {
        if (depth > 0) {
          all.go(grow{all, ended, depth - 1});
          all.go(grow{all, ended, depth - 1});
        }
        ++ended;
      }
    };
    all.go(grow{all, ended, 6});
    all.wait();
  });
  EXPECT_EQ(ended, 127);
}

TEST_P(WaitGroup, WaitGivesUpWithTheContextAndTheTasksGoOn) {
  std::atomic<bool> release{false};
  run([&] {
    wait_group all;
    all.go([&] { spool_test::wait_until([&] { return release.load(); }); });
    auto scope = spool::with_timeout(context::background(), 1ms);
    EXPECT_EQ(all.wait(scope.ctx()), spool::errc::deadline_exceeded);
    EXPECT_FALSE(all.wait_for(1ms));
    release = true;
    all.wait();
    EXPECT_EQ(all.wait(scope.ctx()), spool::errc::deadline_exceeded) << "a context that is done wins";
  });
}

TEST(WaitGroupMisuse, GoOutsideARuntimeThrowsAndCountsNothing) {
  wait_group g;
  auto held = std::make_unique<int>(1);
  auto task = [held = std::move(held)] {};
  EXPECT_THROW(g.go(std::move(task)), std::logic_error);
  g.wait();
}

TEST_P(WaitGroup, WhatATaskHeldIsGoneWhenWaitReturns) {
  run([] {
    for (int i = 0; i < 200; ++i) {
      auto held = std::make_shared<int>(0);
      wait_group all;
      all.go([held] { ++*held; });
      all.wait();
      ASSERT_EQ(held.use_count(), 1);
    }
  });
}

TEST_P(WaitGroup, PlainThreadsCountAndWait) {
  wait_group all;
  std::atomic<int> ended{0};
  all.add(3);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      ++ended;
      all.done();
    });
  }
  std::thread waiter([&] {
    all.wait();
    EXPECT_EQ(ended, 3);
  });
  run([&] {
    ++ended;
    all.done();
    all.wait();
  });
  waiter.join();
  for (auto& t : threads) t.join();
}

TEST_P(WaitGroup, MayBeDestroyedByItsWaiterWhileDoneIsRunning) {
  run([] {
    for (int i = 0; i < 2000; ++i) {
      auto* g = new wait_group;
      g->add(2);
      spool::go([g] { g->done(); });
      spool::go([g] { g->done(); });
      if (i % 3 == 0) spool::this_fiber::yield();
      g->wait();
      delete g;
    }
  });
}

TEST(WaitGroupOnThreads, MayBeDestroyedByItsWaiterWhileDoneIsRunning) {
  for (int i = 0; i < 500; ++i) {
    auto* g = new wait_group;
    g->add(2);
    std::thread one([g] { g->done(); });
    std::thread two([g] { g->done(); });
    while (!g->wait_for(1us)) {
    }
    delete g;
    one.join();
    two.join();
  }
}

}  // namespace
