// Jobs that wait for their own pool lend their slot: no deadlock, and never more than `workers` execute.
#include "support/runtimes.hpp"

#include <atomic>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using spool::channel;
using spool::channel_status;
using spool::context;
using spool::worker_pool;

class PoolLending : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(PoolLending);

/// Counts jobs that execute: a job leaves while it waits for its pool, and counts itself again when it goes on.
struct execution {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  void enter() {
    const int inside = ++now;
    for (int seen = most; seen < inside && !most.compare_exchange_weak(seen, inside);) {
    }
  }
  void leave() { --now; }
};

int fib(worker_pool& pool, execution& jobs, int n) {
  jobs.enter();
  spool::this_fiber::yield();  // gives whoever should not execute the chance to
  int result = n;
  if (n >= 2) {
    jobs.leave();
    auto left = pool.submit([&pool, &jobs, n] { return fib(pool, jobs, n - 1); });
    auto right = pool.submit([&pool, &jobs, n] { return fib(pool, jobs, n - 2); });
    const int sum = left.get() + right.get();
    jobs.enter();
    spool::this_fiber::yield();
    result = sum;
  }
  jobs.leave();
  return result;
}

TEST_P(PoolLending, FibonacciByRecursiveSubmission) {
  run([] {
    for (const std::size_t workers : {1u, 2u}) {
      for (const std::size_t capacity : {0u, 1u, 5u}) {
        execution jobs;
        worker_pool pool({.workers = workers, .queue_capacity = capacity});
        EXPECT_EQ(pool.submit([&] { return fib(pool, jobs, 11); }).get(), 89);
        EXPECT_LE(jobs.most, static_cast<int>(workers));
        EXPECT_FALSE(pool.drain());
        EXPECT_EQ(pool.stats().accepted, pool.stats().completed);
      }
    }
  });
}

TEST_P(PoolLending, FibonacciStartedFromAPlainThread) {
  spool::runtime rt(options());
  execution jobs;
  worker_pool pool(rt, {.workers = 1, .queue_capacity = 1});
  EXPECT_EQ(pool.submit([&] { return fib(pool, jobs, 9); }).get(), 34);
  EXPECT_EQ(jobs.most, 1);
}

TEST_P(PoolLending, AJobMayWaitForAJobBehindIt) {
  run([] {
    worker_pool pool({.workers = 1});
    EXPECT_EQ(pool.submit([&] { return pool.submit([] { return 5; }).get() + 1; }).get(), 6);
  });
}

TEST_P(PoolLending, AJobMayFillItsOwnQueue) {
  run([] {
    std::atomic<int> ran{0};
    {
      worker_pool pool({.workers = 1, .queue_capacity = 1});
      EXPECT_EQ(pool.post([&] {
        for (int i = 0; i < 200; ++i) EXPECT_EQ(pool.post([&ran] { ++ran; }), channel_status::ok);
      }),
                channel_status::ok);
      EXPECT_FALSE(pool.drain());
    }
    EXPECT_EQ(ran, 200);
  });
}

TEST_P(PoolLending, ALongChainOfJobsThatWaitForEachOther) {
  run([] {
    worker_pool pool({.workers = 1, .queue_capacity = 1});
    std::function<int(int)> chain = [&](int n) -> int {
      return n == 0 ? 0 : 1 + pool.submit([&chain, n] { return chain(n - 1); }).get();
    };
    EXPECT_EQ(pool.submit([&] { return chain(500); }).get(), 500);
  });
}

TEST_P(PoolLending, AJobThatReturnsWaitsForAFreeSlot) {
  run([] {
    worker_pool pool({.workers = 1});
    channel<int> gate;
    channel<int> second_runs(1);
    std::atomic<bool> went_on{false};
    auto first = pool.submit([&] {
      auto quick = pool.submit([] { return 1; });
      EXPECT_EQ(pool.post([&] {
        (void)second_runs.send(1);
        (void)gate.recv();  // holds the only slot
      }),
                channel_status::ok);
      EXPECT_EQ(quick.get(), 1);
      went_on = true;
    });
    // The first job's wait has ended, but whether the slot went to it or to the second job is open.
    spool_test::wait_until([&] { return second_runs.size() == 1; });
    const bool before = went_on;
    for (int i = 0; i < 500; ++i) spool::this_fiber::yield();
    EXPECT_EQ(went_on, before);  // the slot is held: nobody else goes on
    EXPECT_EQ(pool.stats().busy, 1u);
    EXPECT_TRUE(gate.close());
    first.get();
    EXPECT_TRUE(went_on);
  });
}

TEST_P(PoolLending, AJobThatReturnsGoesBeforeQueuedJobs) {
  run([] {
    constexpr int queued = 100;
    std::atomic<int> ran{0};
    std::atomic<bool> returned{false};
    worker_pool pool({.workers = 1, .queue_capacity = queued + 1});
    auto first = pool.submit([&] {
      auto quick = pool.submit([] {});
      for (int i = 0; i < queued; ++i) {
        EXPECT_EQ(pool.post([&] {
          // Time for the first job to ask for its slot; nothing shows that it has, and it needs only one of the
          // hundred.
          if (!returned) spool::this_fiber::sleep_for(std::chrono::milliseconds(5));
          ++ran;
        }),
                  channel_status::ok);
      }
      quick.get();
      returned = true;
      return ran.load();
    });
    EXPECT_LT(first.get(), queued);
  });
}

TEST_P(PoolLending, ALentSlotIsNotCountedAsBusy) {
  run([] {
    worker_pool pool({.workers = 1, .queue_capacity = 4});
    channel<int> gate;
    auto outer = pool.submit([&] { return pool.submit([gate] { return gate.recv().has_value(); }).get(); });
    spool_test::wait_until([&] { return pool.stats().accepted == 2 && pool.stats().queued == 0; });
    EXPECT_EQ(pool.stats().busy, 1u);
    EXPECT_TRUE(gate.send(1));
    EXPECT_TRUE(outer.get());
  });
}

TEST_P(PoolLending, AJobThatWaitsForSomethingElseKeepsItsSlot) {
  run([] {
    worker_pool pool({.workers = 1});
    channel<int> gate;
    std::atomic<bool> second{false};
    EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
    auto f = pool.submit([&] { second = true; });
    for (int i = 0; i < 500; ++i) spool::this_fiber::yield();
    EXPECT_FALSE(second);
    EXPECT_TRUE(gate.close());
    f.get();
  });
}

TEST_P(PoolLending, TheFutureOfAnotherPoolKeepsTheSlot) {
  run([] {
    worker_pool pool({.workers = 1});
    worker_pool other({.workers = 1});
    channel<int> gate;
    auto theirs = other.submit([gate] { return gate.recv().has_value(); });
    auto ours = pool.submit([&] { return theirs.get(); });
    std::atomic<bool> third{false};
    auto f = pool.submit([&] { third = true; });
    for (int i = 0; i < 500; ++i) spool::this_fiber::yield();
    EXPECT_FALSE(third);
    EXPECT_TRUE(gate.send(1));
    EXPECT_TRUE(ours.get());
    f.get();
  });
}

TEST_P(PoolLending, WaitingWithALimitLendsToo) {
  run([] {
    worker_pool pool({.workers = 1});
    const bool ready = pool.submit([&] {
                             auto f = pool.submit([] { return 1; });
                             return f.wait_for(std::chrono::hours(1)) && !f.wait(context::background());
                           })
                           .get();
    EXPECT_TRUE(ready);
  });
}

TEST_P(PoolLending, AWaitThatTimesOutTakesItsSlotBack) {
  run([] {
    execution jobs;
    worker_pool pool({.workers = 1});
    channel<int> gate;
    auto f = pool.submit([&] {
      auto inner = pool.submit([&jobs, gate] {
        (void)gate.recv_for(std::chrono::milliseconds(20));
        jobs.enter();
        spool::this_fiber::yield();
        jobs.leave();
      });
      EXPECT_FALSE(inner.wait_for(std::chrono::milliseconds(1)));
      jobs.enter();
      spool::this_fiber::yield();
      jobs.leave();
    });
    f.get();
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(jobs.most, 1);
  });
}

TEST_P(PoolLending, SelectOnFuturesOfTheOwnPoolLends) {
  run([] {
    worker_pool pool({.workers = 1});
    auto outer = pool.submit([&] {
      auto a = pool.submit([] { return 1; });
      auto b = pool.submit([] { return 2; });
      int ready = 0;
      while (!(a.ready() && b.ready())) {
        (void)spool::select(spool::on_ready(a, [&] { ++ready; }), spool::on_ready(b, [&] { ++ready; }));
        if (a.ready()) b.wait();
        if (b.ready()) a.wait();
      }
      return a.get() + b.get();
    });
    EXPECT_EQ(outer.get(), 3);
    EXPECT_EQ(pool.submit([] { return 4; }).get(), 4);
  });
}

TEST_P(PoolLending, AFiberStartedByAJobIsNotTheJob) {
  run([] {
    std::atomic<bool> lent{false};
    channel<int> gate;
    worker_pool pool({.workers = 1});
    auto outer = pool.submit([&] {
      auto inner = pool.submit([&] { lent = true; });
      // The fiber waits for the pool; the job waits for the fiber, and keeps its slot.
      auto waits = spool::async([&inner, &gate] {
        const std::size_t i =
            spool::select(spool::on_ready(inner, [] {}), spool::on_recv(gate, [](std::optional<int>) {}));
        return i == 1;
      });
      return waits.get();
    });
    for (int i = 0; i < 500; ++i) spool::this_fiber::yield();
    EXPECT_FALSE(lent);
    EXPECT_TRUE(gate.close());
    EXPECT_TRUE(outer.get());
  });
}

TEST_P(PoolLending, AFullPoolOfJobsThatAllSubmit) {
  run([] {
    std::atomic<int> leaves{0};
    worker_pool pool({.workers = 3, .queue_capacity = 2});
    spool::wait_group outside;
    for (int p = 0; p < 4; ++p) {
      outside.go([&] {
        for (int i = 0; i < 30; ++i) {
          EXPECT_EQ(pool.post([&] {
            std::vector<spool::future<void>> parts;
            for (int k = 0; k < 5; ++k) parts.push_back(pool.submit([&leaves] { ++leaves; }));
            for (auto& part : parts) part.get();
          }),
                    channel_status::ok);
        }
      });
    }
    outside.wait();
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(leaves, 4 * 30 * 5);
  });
}

TEST_P(PoolLending, AJobThatWaitsForRoomIsRefusedByClose) {
  run([] {
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    channel<int> go_on;
    channel<int> gate;
    auto outer = pool.submit([&] {
      (void)go_on.recv();
      return pool.post([] {});
    });
    // Who waits already gets the slot that the job lends when it has to wait itself.
    spool::wait_group first;
    first.go([&] { EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok); });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    EXPECT_TRUE(go_on.close());
    first.wait();
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    pool.close();
    EXPECT_TRUE(gate.close());
    EXPECT_EQ(outer.get(), channel_status::closed);
    EXPECT_EQ(pool.shutdown(context::background()).completed, 2u);
  });
}

TEST_P(PoolLending, ResizingWhileJobsLend) {
  run([] {
    execution jobs;
    worker_pool pool({.workers = 1, .queue_capacity = 2});
    std::atomic<bool> stop{false};
    spool::wait_group resizer;
    resizer.go([&] {
      for (std::size_t i = 0; !stop; ++i) {
        pool.resize(1 + i % 3);
        spool::this_fiber::yield();
      }
    });
    EXPECT_EQ(pool.submit([&] { return fib(pool, jobs, 10); }).get(), 55);
    stop = true;
    resizer.wait();
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.stats().accepted, pool.stats().completed);
  });
}

TEST_P(PoolLending, ThrownExceptionsComeThroughLentSlots) {
  run([] {
    worker_pool pool({.workers = 1});
    auto outer =
        pool.submit([&]() -> int { return pool.submit([]() -> int { throw std::domain_error("deep"); }).get(); });
    EXPECT_THROW(outer.get(), std::domain_error);
    EXPECT_EQ(pool.stats().failed, 2u);
  });
}

}  // namespace
