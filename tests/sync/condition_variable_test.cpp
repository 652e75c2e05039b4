#include <spool/sync/condition_variable.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/sync/future.hpp>
#include <spool/sync/wait_group.hpp>

#include <sched.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::async;
using spool::context;
using spool_test::wait_until;

class ConditionVariable : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ConditionVariable);

TEST_P(ConditionVariable, NotifyOneWakesOneWaiter) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    int waiting = 0;
    int awake = 0;
    spool::wait_group all;
    for (int i = 0; i < 3; ++i) {
      all.go([&] {
        std::unique_lock lock(m);
        ++waiting;
        cv.wait(lock);
        ++awake;
      });
    }
    auto read = [&](const int& what) {
      const std::lock_guard lock(m);
      return what;
    };
    wait_until([&] { return read(waiting) == 3; });
    for (int n = 1; n <= 3; ++n) {
      cv.notify_one();
      wait_until([&] { return read(awake) >= n; });
      for (int i = 0; i < 20; ++i) spool::this_fiber::yield();
      EXPECT_EQ(read(awake), n);
    }
    all.wait();
  });
}

TEST_P(ConditionVariable, NotifyAllWakesEveryWaiter) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    bool go = false;
    int through = 0;
    spool::wait_group all;
    for (int i = 0; i < 10; ++i) {
      all.go([&] {
        std::unique_lock lock(m);
        cv.wait(lock, [&] { return go; });
        ++through;
      });
    }
    spool::this_fiber::yield();
    {
      const std::lock_guard lock(m);
      go = true;
    }
    cv.notify_all();
    all.wait();
    EXPECT_EQ(through, 10);
  });
}

TEST_P(ConditionVariable, NotifyWithoutWaitersIsForgotten) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    cv.notify_one();
    cv.notify_all();
    std::unique_lock lock(m);
    EXPECT_EQ(cv.wait_for(lock, 1ms), std::cv_status::timeout);
    EXPECT_TRUE(lock.owns_lock());
  });
}

TEST(ConditionVariableOrder, LongestWaiterIsNotifiedFirst) {
  std::vector<int> order;
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    spool::mutex m;
    spool::condition_variable cv;
    spool::wait_group all;
    for (int i = 0; i < 5; ++i) {
      all.go([&, i] {
        std::unique_lock lock(m);
        cv.wait(lock);
        order.push_back(i);
      });
      spool::this_fiber::yield();  // one worker: it waits by now
    }
    for (int i = 0; i < 5; ++i) {
      cv.notify_one();
      spool::this_fiber::yield();
    }
    all.wait();
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_P(ConditionVariable, PredicateThatHoldsDoesNotWait) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    std::unique_lock lock(m);
    cv.wait(lock, [] { return true; });
    EXPECT_TRUE(cv.wait_for(lock, 0ms, [] { return true; }));
    EXPECT_FALSE(cv.wait(lock, context::background(), [] { return true; }));
  });
}

TEST_P(ConditionVariable, TimedWaitReportsThePredicate) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    std::unique_lock lock(m);
    int asked = 0;
    EXPECT_FALSE(cv.wait_for(lock, 1ms, [&] { return ++asked < 0; }));
    EXPECT_EQ(asked, 2) << "before the wait, and after it";
    EXPECT_TRUE(cv.wait_for(lock, 1ms, [&] { return ++asked > 3; })) << "true at the very end counts";
    EXPECT_FALSE(cv.wait_until(lock, std::chrono::system_clock::now() - 1s, [] { return false; }));
  });
}

TEST_P(ConditionVariable, WaitOnALockThatOwnsNothingThrows) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    std::unique_lock lock(m, std::defer_lock);
    EXPECT_THROW(cv.wait(lock), std::logic_error);
    EXPECT_THROW((void)cv.wait_for(lock, 1ms), std::logic_error);
  });
}

TEST_P(ConditionVariable, CancelledWaitReturnsWithTheLockHeld) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    auto scope = spool::with_cancel(context::background());
    std::unique_lock lock(m);
    auto canceller = async([&] {
      const std::lock_guard until_it_waits(m);
      scope.cancel();
    });
    EXPECT_EQ(cv.wait(lock, scope.ctx()), spool::errc::canceled);
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(m.try_lock());
    lock.unlock();
    canceller.get();
  });
}

TEST_P(ConditionVariable, ContextThatIsDoneWinsOverTheCondition) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    auto scope = spool::with_cancel(context::background());
    scope.cancel();
    std::unique_lock lock(m);
    bool asked = false;
    EXPECT_EQ(cv.wait(lock, scope.ctx(), [&] { return asked = true; }), spool::errc::canceled);
    EXPECT_FALSE(asked);
    EXPECT_EQ(cv.wait(lock, scope.ctx()), spool::errc::canceled);
  });
}

TEST_P(ConditionVariable, ContextWithPredicateEndsWhenNotified) {
  run([] {
    spool::mutex m;
    spool::condition_variable cv;
    auto scope = spool::with_timeout(context::background(), 1h);
    bool ready = false;
    std::unique_lock lock(m);
    auto notifier = async([&] {
      const std::lock_guard guard(m);
      ready = true;
      cv.notify_one();
    });
    EXPECT_FALSE(cv.wait(lock, scope.ctx(), [&] { return ready; }));
    lock.unlock();
    notifier.get();
  });
}

TEST_P(ConditionVariable, QueueOfProducersAndConsumersLosesNothing) {
  spool::mutex m;
  spool::condition_variable not_empty;
  spool::condition_variable not_full;
  std::deque<int> queue;
  long sum = 0;
  auto produce = [&] {
    for (int i = 1; i <= 500; ++i) {
      std::unique_lock lock(m);
      not_full.wait(lock, [&] { return queue.size() < 3; });
      queue.push_back(i);
      lock.unlock();
      not_empty.notify_one();
    }
  };
  auto consume = [&] {
    for (int i = 1; i <= 500; ++i) {
      std::unique_lock lock(m);
      not_empty.wait(lock, [&] { return !queue.empty(); });
      sum += queue.front();
      queue.pop_front();
      not_full.notify_one();
    }
  };
  std::thread outside(produce);
  run([&] {
    spool::wait_group all;
    for (int i = 0; i < 3; ++i) all.go(produce);
    for (int i = 0; i < 4; ++i) all.go(consume);
    all.wait();
  });
  outside.join();
  EXPECT_EQ(sum, 4 * 500 * 501 / 2);
}

TEST_P(ConditionVariable, TimeoutsRacingWithNotifyOneLoseNoNotification) {
  spool::mutex m;
  spool::condition_variable cv;
  int tokens = 0;
  int taken = 0;
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 4; ++f) {
      all.go([&, f] {
        for (int i = 0; i < 100;) {
          std::unique_lock lock(m);
          const auto patience = std::chrono::microseconds((f * 13 + i) % 30);
          if (!cv.wait_for(lock, patience, [&] { return tokens > 0; })) continue;
          --tokens;
          ++taken;
          ++i;
        }
      });
    }
    for (int i = 0; i < 400; ++i) {
      {
        const std::lock_guard lock(m);
        ++tokens;
      }
      cv.notify_one();
      if (i % 4 == 0) spool::this_fiber::yield();
    }
    all.wait();
  });
  EXPECT_EQ(taken, 400);
}

TEST_P(ConditionVariable, MayBeDestroyedByTheWaiterThatWasNotified) {
  struct shared {
    spool::mutex m;
    spool::condition_variable cv;
    bool set = false;
  };
  run([] {
    for (int i = 0; i < 2000; ++i) {
      auto* s = new shared;
      auto waiter = async([s] {
        {
          std::unique_lock lock(s->m);
          s->cv.wait(lock, [s] { return s->set; });
        }
        delete s;
      });
      if (i % 3 == 0) spool::this_fiber::yield();
      {
        const std::lock_guard lock(s->m);
        s->set = true;
        s->cv.notify_all();  // under the lock: after it the waiter may be gone with all of it
      }
      waiter.get();
    }
  });
}

/// The calling thread shares one CPU with all others that call this.
void stay_on_one_cpu() {
  cpu_set_t usable, one;
  CPU_ZERO(&one);
  ASSERT_EQ(::sched_getaffinity(0, sizeof usable, &usable), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &usable)) ++cpu;
  CPU_SET(cpu, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
}

/// On its CPU every other thread goes before the calling one, a thread that it wakes at once.
void give_way() {
  const sched_param none{};
  ASSERT_EQ(::sched_setscheduler(0, SCHED_IDLE, &none), 0);
}

// The unlock in wait() wakes the notifier, which goes on at once, before the waiter does anything else.
TEST(ConditionVariableOnThreads, ANotificationMayFollowTheUnlockAtOnce) {
  for (int round = 0; round < 20; ++round) {
    spool::mutex m;
    spool::condition_variable cv;
    std::atomic<bool> locked{false};
    std::atomic<bool> notifying{false};
    std::cv_status seen = std::cv_status::timeout;
    std::thread waiter([&] {
      stay_on_one_cpu();
      give_way();
      std::unique_lock lock(m);
      locked = true;
      while (!notifying) ::sched_yield();
      seen = cv.wait_for(lock, 10s);
    });
    std::thread notifier([&] {
      stay_on_one_cpu();
      while (!locked) std::this_thread::sleep_for(100us);  // a yield would not let an idle one run
      notifying = true;
      m.lock();
      m.unlock();
      cv.notify_one();
    });
    notifier.join();
    waiter.join();
    ASSERT_EQ(seen, std::cv_status::no_timeout) << "round " << round;
  }
}

}  // namespace
