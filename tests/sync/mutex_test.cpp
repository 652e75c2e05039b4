#include <spool/sync/mutex.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/sync/future.hpp>
#include <spool/sync/wait_group.hpp>
#include <spool/testing/bubble.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::async;
using spool::context;
using spool_test::wait_until;

class Mutex : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Mutex);

TEST_P(Mutex, ExcludesFibersThatParkInside) {
  spool::mutex m;
  int inside = 0;
  int total = 0;
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 16; ++f) {
      all.go([&] {
        for (int i = 0; i < 100; ++i) {
          const std::lock_guard guard(m);
          EXPECT_EQ(++inside, 1);
          if (i % 10 == 0) spool::this_fiber::yield();
          --inside;
          ++total;
        }
      });
    }
    all.wait();
  });
  EXPECT_EQ(total, 1600);
}

TEST_P(Mutex, CountsRightUnderShortSections) {
  spool::mutex m;
  long total = 0;
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 8; ++f) {
      all.go([&] {
        for (int i = 0; i < 5000; ++i) {
          const std::lock_guard guard(m);
          ++total;
        }
      });
    }
    all.wait();
  });
  EXPECT_EQ(total, 40000);
}

TEST_P(Mutex, ExcludesFibersAndPlainThreadsFromEachOther) {
  spool::mutex m;
  long total = 0;
  std::vector<std::thread> threads;
  auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      const std::lock_guard guard(m);
      ++total;
    }
  };
  for (int t = 0; t < 3; ++t) threads.emplace_back(work);
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 5; ++f) all.go(work);
    all.wait();
  });
  for (auto& t : threads) t.join();
  EXPECT_EQ(total, 16000);
}

TEST_P(Mutex, TryLockFailsWhileHeldAndNeverWaits) {
  run([] {
    spool::mutex m;
    EXPECT_TRUE(m.try_lock());
    EXPECT_FALSE(m.try_lock());
    EXPECT_FALSE(async([&] { return m.try_lock(); }).get());
    m.unlock();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST_P(Mutex, SpinningOnTryLockLetsTheHolderRun) {
  run([] {
    spool::mutex m;
    m.lock();
    std::atomic<bool> spinning{false};
    auto spinner = async([&] {
      while (!m.try_lock()) spinning = true;
      m.unlock();
    });
    wait_until([&] { return spinning.load(); });
    m.unlock();
    spinner.get();
  });
}

TEST(MutexMisuse, UnlockOfAnUnlockedOneThrowsAndLeavesItUsable) {
  spool::mutex m;
  EXPECT_THROW(m.unlock(), std::logic_error);
  m.lock();
  m.unlock();
  EXPECT_THROW(m.unlock(), std::logic_error);
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST_P(Mutex, AnotherFiberMayUnlock) {
  run([] {
    spool::mutex m;
    m.lock();
    auto other = async([&] { m.unlock(); });
    m.lock();  // returns only once the other fiber has unlocked
    other.get();
    m.unlock();
  });
}

TEST_P(Mutex, LockWithAContextTakesAFreeMutex) {
  run([] {
    spool::mutex m;
    EXPECT_FALSE(m.lock(context::background()));
    EXPECT_FALSE(m.try_lock());
    m.unlock();
  });
}

TEST_P(Mutex, ContextThatIsDoneWinsOverAFreeMutex) {
  run([] {
    spool::mutex m;
    auto scope = spool::with_cancel(context::background());
    scope.cancel();
    EXPECT_EQ(m.lock(scope.ctx()), spool::errc::canceled);
    EXPECT_TRUE(m.try_lock()) << "a refused lock holds nothing";
    m.unlock();
  });
}

TEST_P(Mutex, CancelledWaiterLeavesTheQueue) {
  run([] {
    spool::mutex m;
    m.lock();
    auto scope = spool::with_cancel(context::background());
    auto waiting = async([&] { return m.lock(scope.ctx()); });
    spool::this_fiber::yield();
    scope.cancel();
    EXPECT_EQ(waiting.get(), spool::errc::canceled);
    m.unlock();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST_P(Mutex, DeadlineEndsAWait) {
  run([] {
    spool::mutex m;
    m.lock();
    auto scope = spool::with_timeout(context::background(), 1ms);
    EXPECT_EQ(m.lock(scope.ctx()), spool::errc::deadline_exceeded);
    m.unlock();
  });
}

TEST_P(Mutex, TryLockForAndUntilGiveUp) {
  run([] {
    spool::mutex m;
    m.lock();
    EXPECT_FALSE(m.try_lock_for(1ms));
    EXPECT_FALSE(m.try_lock_until(std::chrono::steady_clock::now() + 1ms));
    EXPECT_FALSE(m.try_lock_until(std::chrono::system_clock::now() - 1s));
    auto later = async([&] { m.unlock(); });
    EXPECT_TRUE(m.try_lock_for(1h));
    later.get();
    m.unlock();
  });
}

TEST_P(Mutex, TimedUniqueLockWorks) {
  run([] {
    spool::mutex m;
    std::unique_lock first(m);
    std::unique_lock second(m, 1ms);
    EXPECT_FALSE(second.owns_lock());
    first.unlock();
    EXPECT_TRUE(second.try_lock());
  });
}

TEST_P(Mutex, ScopedLockOfTwoDoesNotDeadlock) {
  spool::mutex a;
  spool::mutex b;
  int total = 0;
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 6; ++f) {
      all.go([&, f] {
        for (int i = 0; i < 200; ++i) {
          if (f % 2 == 0) {
            const std::scoped_lock both(a, b);
            ++total;
          } else {
            const std::scoped_lock both(b, a);
            ++total;
          }
        }
      });
    }
    all.wait();
  });
  EXPECT_EQ(total, 1200);
}

// The hog waits only while it holds the mutex and takes it again as soon as it has let it go: on one worker the waiter
// it wakes always comes too late. Without the hand-over to a starved waiter the hog would go on until it gives up.
TEST_P(Mutex, StarvedWaiterGetsItFromAFiberThatAlwaysComesBack) {
  run([] {
    spool::mutex m;
    std::atomic<bool> served{false};
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    m.lock();
    auto waiter = async([&] {
      m.lock();
      served = true;
      m.unlock();
    });
    bool gave_up = false;
    while (!served && !gave_up) {
      spool::this_fiber::yield();
      m.unlock();
      m.lock();
      gave_up = std::chrono::steady_clock::now() > give_up;
    }
    EXPECT_FALSE(gave_up);
    m.unlock();
    waiter.get();
  });
}

// In a bubble nobody is faster than another by chance, and the waiter is starved when the test says so.
TEST(MutexOrder, StarvedWaiterIsHandedTheLock) {
  spool::testing::run_in_bubble([] {
    spool::mutex m;
    bool served = false;
    m.lock();
    spool::go([&] {
      m.lock();
      served = true;
      m.unlock();
    });
    spool::testing::settle();          // it waits,
    spool::this_fiber::sleep_for(1s);  // too long
    m.unlock();
    m.lock();                          // before the one that was woken
    spool::testing::settle();
    EXPECT_FALSE(served);
    m.unlock();
    const bool barged = m.try_lock();
    EXPECT_FALSE(barged);
    if (barged) m.unlock();
    spool::testing::settle();
    EXPECT_TRUE(served);
  });
}

TEST(MutexOrder, WaitersAreServedInTheOrderInWhichTheyCame) {
  std::vector<int> order;
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    spool::mutex m;
    m.lock();
    spool::wait_group all;
    for (int i = 0; i < 10; ++i) {
      all.go([&, i] {
        m.lock();
        order.push_back(i);
        m.unlock();
      });
      spool::this_fiber::yield();  // one worker: it runs until it waits
    }
    m.unlock();
    all.wait();
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_P(Mutex, TimeoutsRacingWithUnlocksLoseNoWakeup) {
  spool::mutex m;
  std::atomic<int> locked{0};
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 8; ++f) {
      all.go([&, f] {
        for (int i = 0; i < 200; ++i) {
          const auto patience = std::chrono::microseconds((f * 7 + i) % 40);
          if (m.try_lock_for(patience)) {
            ++locked;
            if (i % 5 == 0) spool::this_fiber::yield();
            m.unlock();
          }
          m.lock();
          m.unlock();
        }
      });
    }
    all.wait();
  });
  EXPECT_TRUE(m.try_lock());
  m.unlock();
  EXPECT_GT(locked, 0);
}

// The waiter frees the mutex while the unlock that served it may still be running. For sanitizers.
TEST_P(Mutex, MayBeDestroyedByTheLastOneWhoLockedIt) {
  run([] {
    for (int i = 0; i < 2000; ++i) {
      auto* m = new spool::mutex;
      m->lock();
      auto last = async([m] {
        m->lock();
        m->unlock();
        delete m;
      });
      if (i % 3 == 0) spool::this_fiber::yield();
      m->unlock();
      last.get();
    }
  });
}

TEST(MutexOnThreads, MayBeDestroyedByTheLastOneWhoLockedIt) {
  for (int i = 0; i < 500; ++i) {
    auto* m = new spool::mutex;
    m->lock();
    std::thread last([m] {
      if (!m->try_lock_for(10us)) m->lock();
      m->unlock();
      delete m;
    });
    if (i % 2 == 0) std::this_thread::yield();
    m->unlock();
    last.join();
  }
}

}  // namespace
