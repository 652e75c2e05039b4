#include <spool/sync/once.hpp>

#include "../support/runtimes.hpp"

#include <spool/sync/future.hpp>
#include <spool/sync/latch.hpp>
#include <spool/sync/wait_group.hpp>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using spool::once;

class Once : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Once);

TEST_P(Once, RunsOneOfManyCallsAndTheOthersWaitForIt) {
  run([] {
    once o;
    int calls = 0;
    bool ended = false;
    spool::wait_group all;
    for (int i = 0; i < 20; ++i) {
      all.go([&] {
        o.call([&] {
          ++calls;
          for (int n = 0; n < 10; ++n) spool::this_fiber::yield();
          ended = true;
        });
        EXPECT_TRUE(ended);
      });
    }
    all.wait();
    EXPECT_EQ(calls, 1);
  });
}

TEST(OnceBasics, LaterCallsDoNothing) {
  once o;
  int calls = 0;
  EXPECT_FALSE(o.called());
  for (int i = 0; i < 3; ++i) o.call([&] { ++calls; });
  EXPECT_TRUE(o.called());
  EXPECT_EQ(calls, 1);
}

TEST(OnceBasics, OtherFunctionsDoNotRunEither) {
  once o;
  int first = 0;
  int second = 0;
  o.call([&] { ++first; });
  o.call([&] { ++second; });
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

TEST(OnceBasics, ThrowingCallLeavesItUncalled) {
  once o;
  EXPECT_THROW(o.call([] { throw std::runtime_error("first"); }), std::runtime_error);
  EXPECT_FALSE(o.called());
  int calls = 0;
  o.call([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST_P(Once, WhenACallThrowsOneOfTheWaitersRunsItsOwn) {
  run([] {
    once o;
    std::atomic<int> attempts{0};
    std::atomic<int> failures{0};
    spool::wait_group all;
    for (int i = 0; i < 12; ++i) {
      all.go([&] {
        try {
          o.call([&] {
            const int attempt = ++attempts;
            for (int n = 0; n < 5; ++n) spool::this_fiber::yield();
            if (attempt < 4) throw std::runtime_error("not yet");
          });
          EXPECT_TRUE(o.called());
        } catch (const std::runtime_error&) {
          ++failures;
        }
      });
    }
    all.wait();
    EXPECT_EQ(attempts, 4);
    EXPECT_EQ(failures, 3);
  });
}

TEST_P(Once, FibersAndPlainThreadsMeet) {
  once o;
  std::atomic<int> calls{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back([&] { o.call([&] { ++calls; }); });
  run([&] {
    spool::wait_group all;
    for (int i = 0; i < 8; ++i) {
      all.go([&] {
        o.call([&] {
          spool::this_fiber::yield();
          ++calls;
        });
        EXPECT_EQ(calls, 1);
      });
    }
    all.wait();
  });
  for (auto& t : threads) t.join();
  EXPECT_EQ(calls, 1);
}

TEST_P(Once, WhatTheCallWroteIsSeenByAll) {
  run([] {
    for (int round = 0; round < 300; ++round) {
      once o;
      int value = 0;
      spool::wait_group all;
      for (int i = 0; i < 4; ++i) {
        all.go([&] {
          o.call([&] { value = 7; });
          EXPECT_EQ(value, 7);
        });
      }
      all.wait();
    }
  });
}

// Who finds it called may destroy it while the call that ran is still on its way out.
TEST_P(Once, MayBeDestroyedByAWaiterWhileTheCallIsLeaving) {
  run([] {
    for (int i = 0; i < 2000; ++i) {
      auto* o = new once;
      spool::latch started(1);
      spool::wait_group runner;
      runner.go([&] {
        o->call([&] {
          started.count_down();
          if (i % 2 == 0) spool::this_fiber::yield();
        });
      });
      started.wait();
      o->call([] { ADD_FAILURE() << "ran twice"; });
      delete o;
      runner.wait();
    }
  });
}

}  // namespace
