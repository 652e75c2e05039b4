#include <spool/sync/semaphore.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/sync/future.hpp>
#include <spool/sync/wait_group.hpp>

#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::async;
using spool::context;
using spool::semaphore;

class Semaphore : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Semaphore);

TEST_P(Semaphore, BoundsWhoIsInside) {
  semaphore s(3);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 12; ++f) {
      all.go([&] {
        for (int i = 0; i < 50; ++i) {
          s.acquire();
          const int now = ++inside;
          EXPECT_LE(now, 3);
          for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
          }
          spool_test::wait_until([&] { return most >= 3; });  // the others may not have been started yet
          spool::this_fiber::yield();
          --inside;
          s.release();
        }
      });
    }
    all.wait();
  });
  EXPECT_EQ(most, 3);
  EXPECT_EQ(s.available(), 3);
}

TEST_P(Semaphore, TryAcquireTakesWhatIsThere) {
  run([] {
    semaphore s(2);
    EXPECT_TRUE(s.try_acquire(2));
    EXPECT_FALSE(s.try_acquire());
    s.release();
    EXPECT_FALSE(s.try_acquire(2));
    EXPECT_TRUE(s.try_acquire());
    s.release(2);
    EXPECT_EQ(s.available(), 2);
  });
}

TEST_P(Semaphore, ZeroUnitsNeverWaitWhenNobodyDoes) {
  run([] {
    semaphore s(0);
    s.acquire(0);
    EXPECT_TRUE(s.try_acquire(0));
    s.release(0);
    EXPECT_EQ(s.available(), 0);
  });
}

TEST_P(Semaphore, ReleaseBeyondTheInitialCountAddsUnits) {
  run([] {
    semaphore s(0);
    auto taker = async([&] { s.acquire(3); });
    s.release();
    s.release();
    s.release(2);
    taker.get();
    EXPECT_EQ(s.available(), 1);
  });
}

TEST(SemaphoreMisuse, NegativeCountsAndOverflowThrow) {
  EXPECT_THROW(semaphore(-1), std::logic_error);
  semaphore s(1);
  EXPECT_THROW(s.acquire(-1), std::logic_error);
  EXPECT_THROW((void)s.acquire(context::background(), -1), std::logic_error);
  EXPECT_THROW((void)s.try_acquire(-1), std::logic_error);
  EXPECT_THROW(s.release(-1), std::logic_error);
  EXPECT_THROW(s.release(std::numeric_limits<std::ptrdiff_t>::max()), std::logic_error);
  EXPECT_EQ(s.available(), 1);
}

TEST(SemaphoreOrder, ServesInTheOrderOfArrivalWhateverTheWeight) {
  std::string order;
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    semaphore s(0);
    spool::wait_group all;
    auto ask = [&](char name, std::ptrdiff_t n) {
      all.go([&, name, n] {
        s.acquire(n);
        order += name;
      });
      spool::this_fiber::yield();  // one worker: it waits by now
    };
    ask('a', 1);
    ask('b', 5);
    ask('c', 1);
    s.release(2);
    spool::this_fiber::yield();
    EXPECT_EQ(order, "a");
    EXPECT_FALSE(s.try_acquire()) << "one unit is free, but b is at the front";
    s.release(3);
    spool::this_fiber::yield();
    EXPECT_EQ(order, "a");
    s.release(1);
    spool::this_fiber::yield();
    EXPECT_EQ(order, "ab");
    s.release(1);
    all.wait();
  });
  EXPECT_EQ(order, "abc");
}

TEST(SemaphoreOrder, GivingUpAtTheFrontServesThoseBehind) {
  std::string order;
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    semaphore s(2);
    auto scope = spool::with_cancel(context::background());
    auto large = async([&] { return s.acquire(scope.ctx(), 10); });
    spool::this_fiber::yield();
    auto small = async([&] {
      s.acquire(2);
      order += 's';
    });
    spool::this_fiber::yield();
    EXPECT_EQ(order, "");
    scope.cancel();
    EXPECT_EQ(large.get(), spool::errc::canceled);
    small.get();
  });
  EXPECT_EQ(order, "s");
}

TEST_P(Semaphore, MoreThanEverExistsWaitsForTheContext) {
  run([] {
    semaphore s(2);
    auto scope = spool::with_timeout(context::background(), 1ms);
    EXPECT_EQ(s.acquire(scope.ctx(), 100), spool::errc::deadline_exceeded);
    EXPECT_EQ(s.available(), 2);
  });
}

TEST_P(Semaphore, ContextThatIsDoneWinsOverFreeUnits) {
  run([] {
    semaphore s(2);
    auto scope = spool::with_cancel(context::background());
    scope.cancel();
    EXPECT_EQ(s.acquire(scope.ctx()), spool::errc::canceled);
    EXPECT_EQ(s.available(), 2);
    EXPECT_FALSE(s.acquire(context::background(), 2));
    EXPECT_EQ(s.available(), 0);
  });
}

TEST_P(Semaphore, TimedFormsGiveUpAndTakeNothing) {
  run([] {
    semaphore s(1);
    EXPECT_FALSE(s.try_acquire_for(1ms, 2));
    EXPECT_FALSE(s.try_acquire_until(std::chrono::steady_clock::now() + 1ms, 2));
    EXPECT_TRUE(s.try_acquire_for(1ms));
    auto later = async([&] { s.release(); });
    EXPECT_TRUE(s.try_acquire_for(1h));
    later.get();
    EXPECT_EQ(s.available(), 0);
  });
}

TEST_P(Semaphore, TimeoutsRacingWithReleasesLoseNoUnits) {
  semaphore s(4);
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 8; ++f) {
      all.go([&, f] {
        for (int i = 0; i < 200; ++i) {
          const std::ptrdiff_t n = 1 + (f + i) % 4;
          if (!s.try_acquire_for(std::chrono::microseconds((f * 11 + i) % 30), n)) continue;
          if (i % 3 == 0) spool::this_fiber::yield();
          s.release(n);
        }
      });
    }
    all.wait();
  });
  EXPECT_EQ(s.available(), 4);
}

TEST_P(Semaphore, FibersAndPlainThreadsShareIt) {
  semaphore s(2);
  std::atomic<int> inside{0};
  auto work = [&] {
    for (int i = 0; i < 500; ++i) {
      s.acquire();
      EXPECT_LE(++inside, 2);
      --inside;
      s.release();
    }
  };
  std::thread one(work);
  std::thread two(work);
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 4; ++f) all.go(work);
    all.wait();
  });
  one.join();
  two.join();
  EXPECT_EQ(s.available(), 2);
}

TEST_P(Semaphore, MayBeDestroyedByTheOneItServedLast) {
  run([] {
    for (int i = 0; i < 2000; ++i) {
      auto* s = new semaphore(0);
      auto last = async([s] {
        s->acquire();
        delete s;
      });
      if (i % 3 == 0) spool::this_fiber::yield();
      s->release();
      last.get();
    }
  });
}

TEST(SemaphoreOnThreads, MayBeDestroyedByTheOneItServedLast) {
  for (int i = 0; i < 500; ++i) {
    auto* s = new semaphore(0);
    std::thread last([s] {
      while (!s->try_acquire_for(1us)) {
      }
      delete s;
    });
    if (i % 2 == 0) std::this_thread::yield();
    s->release();
    last.join();
  }
}

}  // namespace
