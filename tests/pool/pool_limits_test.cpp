// At most `workers` jobs execute and at most queue_capacity wait: backpressure, refusals, resize, statistics.
#include "occupied.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using spool::channel;
using spool::channel_status;
using spool::context;
using spool::errc;
using spool::worker_pool;

class PoolLimits : public spool_test::WithOccupiedPools {};
SPOOL_INSTANTIATE_WORKERS(PoolLimits);

/// Most jobs that were inside at the same time.
struct high_water {
  std::atomic<int> now{0}, most{0};
  void enter() {
    const int inside = ++now;
    for (int seen = most; seen < inside && !most.compare_exchange_weak(seen, inside);) {
    }
  }
  void leave() { --now; }
};

TEST_P(PoolLimits, NeverMoreThanWorkersExecute) {
  run([] {
    for (const std::size_t workers : {1u, 2u, 3u, 7u}) {
      high_water mark;
      {
        worker_pool pool({.workers = workers, .queue_capacity = 10});
        for (int i = 0; i < 300; ++i) {
          EXPECT_EQ(pool.post([&mark] {
            mark.enter();
            spool::this_fiber::yield();
            mark.leave();
          }),
                    channel_status::ok);
        }
      }
      EXPECT_LE(mark.most, static_cast<int>(workers));
      EXPECT_GE(mark.most, 1);
    }
  });
}

TEST_P(PoolLimits, AllWorkersExecuteAtATime) {
  run([] {
    worker_pool pool({.workers = 5});
    spool::latch all(5);
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(pool.post([&all] {
        all.count_down();
        all.wait();  // only five at a time get past
      }),
                channel_status::ok);
    }
    all.wait();
    EXPECT_FALSE(pool.drain());
  });
}

TEST_P(PoolLimits, TrySubmitRefusesBeyondWorkersAndQueue) {
  run([this] {
    worker_pool pool({.workers = 2, .queue_capacity = 3});
    occupy(pool, 5);
    EXPECT_TRUE(pool.saturated());
    auto refused = pool.try_submit([] { return 1; });
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), errc::full);
    EXPECT_EQ(pool.try_post([] {}), channel_status::full);
    EXPECT_EQ(pool.stats().rejected, 2u);
    EXPECT_EQ(pool.stats().accepted, 5u);
    EXPECT_TRUE(gate.close());
  });
}

TEST_P(PoolLimits, WorkersPlusQueueAreAcceptedBeforeAnyJobCouldStart) {
  run([] {
    worker_pool pool({.workers = 2, .queue_capacity = 3});
    channel<int> hold;
    int accepted = 0;
    while (pool.try_post([hold] { (void)hold.recv(); }) == channel_status::ok) ++accepted;
    EXPECT_EQ(accepted, 5);
    EXPECT_EQ(pool.stats().busy, 2u);
    EXPECT_EQ(pool.stats().queued, 3u);
    EXPECT_TRUE(hold.close());
  });
}

TEST_P(PoolLimits, ARefusedJobIsNotMovedFrom) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    occupy(pool, 1);
    auto job = [owned = std::make_unique<int>(4), text = std::string(100, 'x')] { return *owned + int(text.size()); };
    ASSERT_FALSE(pool.try_submit(std::move(job)).has_value());
    EXPECT_EQ(pool.try_post(std::move(job)), channel_status::full);
    EXPECT_TRUE(gate.close());
    EXPECT_EQ(pool.submit(std::move(job)).get(), 104);
  });
}

TEST_P(PoolLimits, ARefusedJobWhoseMoveMayThrowIsNotMovedFromEither) {
  run([this] {
    struct careful {
      std::unique_ptr<int> owned = std::make_unique<int>(8);
      careful() = default;
      careful(careful&& other) noexcept(false) : owned(std::move(other.owned)) {}
      int operator()() const { return *owned; }
    };
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    occupy(pool, 1);
    careful job;
    ASSERT_FALSE(pool.try_submit(std::move(job)).has_value());
    ASSERT_NE(job.owned, nullptr);
    EXPECT_TRUE(gate.close());
    EXPECT_EQ(pool.submit(std::move(job)).get(), 8);
  });
}

TEST_P(PoolLimits, AThrowingMoveLosesNothing) {
  run([] {
    struct bomb {
      bomb() = default;
      bomb(bomb&&) { throw std::runtime_error("move"); }
      void operator()() const {}
    };
    worker_pool pool;
    EXPECT_THROW((void)pool.submit(bomb{}), std::runtime_error);
    EXPECT_THROW((void)pool.post(bomb{}), std::runtime_error);
    EXPECT_EQ(pool.stats().accepted, 0u);
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  });
}

TEST_P(PoolLimits, SubmitWaitsForRoom) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = 1});
    occupy(pool, 2);
    std::atomic<bool> accepted{false};
    spool::wait_group waiting;
    waiting.go([&] {
      EXPECT_EQ(pool.submit([] { return 3; }).get(), 3);
      accepted = true;
    });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    EXPECT_FALSE(accepted);
    EXPECT_EQ(pool.stats().accepted, 2u);
    EXPECT_TRUE(gate.send(1));  // one of the two ends: there is room
    EXPECT_TRUE(gate.close());
    waiting.wait();
    EXPECT_EQ(pool.stats().accepted, 3u);
  });
}

TEST_P(PoolLimits, APlainThreadWaitsForRoom) {
  spool::runtime rt(options());
  worker_pool pool(rt, {.workers = 1, .queue_capacity = 1});
  occupy(pool, 2);
  std::thread producer([&] { EXPECT_EQ(pool.submit([] { return 3; }).get(), 3); });
  spool_test::wait_until([&] { return pool.stats().waiting == 1; });
  EXPECT_TRUE(gate.send(1));
  EXPECT_TRUE(gate.send(1));
  producer.join();
  EXPECT_EQ(pool.stats().waiting, 0u);
}

TEST_P(PoolLimits, SubmittersAreServedInTheOrderInWhichTheyCame) {
  run([this] {
    std::vector<int> order;
    {
      worker_pool pool({.workers = 1, .queue_capacity = 1});
      occupy(pool, 2);
      spool::wait_group submitters;
      for (int i = 0; i < 20; ++i) {
        submitters.go(
            [&pool, &order, i] { EXPECT_EQ(pool.post([&order, i] { order.push_back(i); }), channel_status::ok); });
        spool_test::wait_until([&] { return pool.stats().waiting == static_cast<std::size_t>(i) + 1; });
      }
      EXPECT_TRUE(gate.close());
      submitters.wait();
    }
    ASSERT_EQ(order.size(), 20u);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
}

TEST_P(PoolLimits, ALaterTrySubmitDoesNotPassThoseWhoWait) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    occupy(pool, 1);
    channel<int> second;
    spool::wait_group waiting;
    waiting.go([&] { EXPECT_EQ(pool.post([second] { (void)second.recv(); }), channel_status::ok); });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    EXPECT_TRUE(gate.close());
    waiting.wait();  // the room that came went to who waited
    EXPECT_EQ(pool.try_post([] {}), channel_status::full);
    EXPECT_TRUE(second.close());
  });
}

TEST_P(PoolLimits, CapacityZeroTakesAJobOnlyForAFreeWorker) {
  run([this] {
    worker_pool pool({.workers = 2, .queue_capacity = 0});
    EXPECT_FALSE(pool.saturated());
    occupy(pool, 2);
    EXPECT_TRUE(pool.saturated());
    EXPECT_EQ(pool.try_post([] {}), channel_status::full);
    EXPECT_EQ(pool.stats().queued, 0u);
    EXPECT_EQ(pool.stats().busy, 2u);
    EXPECT_TRUE(gate.close());
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.try_post([] {}), channel_status::ok);
  });
}

TEST_P(PoolLimits, CapacityZeroPassesManyJobs) {
  run([] {
    std::atomic<int> ran{0};
    {
      worker_pool pool({.workers = 3, .queue_capacity = 0});
      for (int i = 0; i < 1000; ++i) EXPECT_EQ(pool.post([&ran] { ++ran; }), channel_status::ok);
    }
    EXPECT_EQ(ran, 1000);
  });
}

TEST_P(PoolLimits, RoomIsBackOnceAFutureIsReady) {
  run([] {
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    for (int i = 0; i < 500; ++i) {
      auto f = pool.try_submit([i] { return i; });
      ASSERT_TRUE(f.has_value());
      EXPECT_EQ(f->get(), i);
      EXPECT_EQ(pool.stats().busy, 0u);
    }
  });
}

TEST_P(PoolLimits, StatsCountAJobBeforeItsFutureIsReady) {
  spool::runtime rt(options());
  worker_pool pool(rt);
  for (std::uint64_t i = 1; i <= 500; ++i) {
    pool.submit([] {}).get();
    EXPECT_EQ(pool.stats().completed, i);
  }
}

TEST_P(PoolLimits, StatsDescribeAPoolAtWork) {
  run([this] {
    worker_pool pool({.workers = 2, .queue_capacity = 10});
    occupy(pool, 6);
    const auto s = pool.stats();
    EXPECT_EQ(s.workers, 2u);
    EXPECT_EQ(s.busy, 2u);
    EXPECT_EQ(s.queued, 4u);
    EXPECT_EQ(s.accepted, 6u);
    EXPECT_EQ(s.completed + s.failed + s.expired + s.abandoned + s.rejected, 0u);
    EXPECT_FALSE(pool.saturated());
    EXPECT_TRUE(gate.close());
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.stats().completed, 6u);
    EXPECT_EQ(pool.stats().busy, 0u);
  });
}

TEST_P(PoolLimits, GrowingStartsQueuedJobs) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = 10});
    occupy(pool, 1);
    spool::latch both(2);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(pool.post([&both] {
        both.count_down();
        both.wait();
      }),
                channel_status::ok);
    }
    pool.resize(3);
    both.wait();
    EXPECT_EQ(pool.stats().workers, 3u);
    EXPECT_TRUE(gate.close());
    EXPECT_FALSE(pool.drain());
  });
}

TEST_P(PoolLimits, GrowingMakesRoomForThoseWhoWait) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    occupy(pool, 1);
    spool::wait_group waiting;
    waiting.go([&] { EXPECT_EQ(pool.submit([] { return 1; }).get(), 1); });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    pool.resize(2);
    waiting.wait();  // while the first job still runs
    EXPECT_TRUE(gate.close());
  });
}

TEST_P(PoolLimits, RoomGoesToWhoWaitsAtOnce) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = 1});
    occupy(pool, 2);
    spool::wait_group waiting;
    waiting.go([&] { EXPECT_EQ(pool.post([] {}), channel_status::ok); });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    EXPECT_TRUE(gate.send(0));
    spool_test::wait_until([&] { return pool.stats().completed == 1; });
    EXPECT_EQ(pool.stats().waiting, 0u);
    EXPECT_EQ(pool.try_post([] {}), channel_status::full) << "the second job runs, the third is queued";
    EXPECT_TRUE(gate.close());
    waiting.wait();
  });
}

TEST_P(PoolLimits, ShrinkingTakesTheRoomOfFreeSlots) {
  run([this] {
    worker_pool pool({.workers = 3, .queue_capacity = 2});
    occupy(pool, 2);
    pool.resize(2);
    EXPECT_EQ(pool.try_post([] {}), channel_status::ok);
    EXPECT_EQ(pool.try_post([] {}), channel_status::ok);
    EXPECT_EQ(pool.try_post([] {}), channel_status::full);
    EXPECT_TRUE(gate.close());
  });
}

TEST_P(PoolLimits, ShrinkingHoldsFromTheJobsThatStartLater) {
  run([this] {
    worker_pool pool({.workers = 4, .queue_capacity = 100});
    spool::latch running(4);
    for (int i = 0; i < 4; ++i) {
      ASSERT_EQ(pool.post([&running, gate = gate] {
        running.count_down();
        (void)gate.recv();
      }),
                channel_status::ok);
    }
    running.wait();
    pool.resize(1);
    EXPECT_EQ(pool.stats().workers, 1u);
    high_water mark;
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(pool.post([&mark] {
        mark.enter();
        spool::this_fiber::yield();
        mark.leave();
      }),
                channel_status::ok);
    }
    EXPECT_TRUE(gate.close());
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(mark.most, 1);
  });
}

TEST_P(PoolLimits, ResizeToZeroMeansTheThreadsOfTheRuntime) {
  run([] {
    worker_pool pool({.workers = 17});
    pool.resize(0);
    EXPECT_EQ(pool.stats().workers, GetParam());
  });
}

TEST_P(PoolLimits, ResizingWhileJobsFlowLosesNone) {
  run([] {
    std::atomic<int> ran{0};
    {
      worker_pool pool({.workers = 2, .queue_capacity = 3});
      spool::wait_group producers;
      for (int p = 0; p < 4; ++p) {
        producers.go([&] {
          for (int i = 0; i < 300; ++i) EXPECT_EQ(pool.post([&ran] { ++ran; }), channel_status::ok);
        });
      }
      for (std::size_t i = 0; i < 200; ++i) {
        pool.resize(1 + i % 5);
        spool::this_fiber::yield();
      }
      producers.wait();
    }
    EXPECT_EQ(ran, 1200);
  });
}

TEST_P(PoolLimits, SubmitWithAContextGivesUpWaiting) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    occupy(pool, 1);
    auto scope = spool::with_cancel(context::background());
    auto job = [owned = std::make_unique<int>(1)] { return *owned; };
    spool::wait_group waiting;
    waiting.go([&] {
      auto refused = pool.submit(scope.ctx(), std::move(job));
      ASSERT_FALSE(refused.has_value());
      EXPECT_EQ(refused.error(), errc::canceled);
    });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    scope.cancel();
    waiting.wait();
    EXPECT_EQ(pool.stats().rejected, 1u);
    EXPECT_TRUE(gate.close());
    EXPECT_EQ(pool.submit(std::move(job)).get(), 1);  // it was handed back
  });
}

TEST_P(PoolLimits, PostWithADeadlineTimesOut) {
  spool::runtime rt(options());
  worker_pool pool(rt, {.workers = 1, .queue_capacity = 0});
  occupy(pool, 1);
  const auto soon = spool::with_timeout(context::background(), std::chrono::milliseconds(5));
  EXPECT_EQ(pool.post(soon.ctx(), [] {}), channel_status::timeout);
  auto refused = pool.submit(soon.ctx(), [] { return 1; });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), errc::deadline_exceeded);
  EXPECT_TRUE(gate.close());
}

TEST_P(PoolLimits, AWaitThatIsGivenUpDoesNotBlockThoseBehindIt) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    occupy(pool, 1);
    auto scope = spool::with_cancel(context::background());
    spool::wait_group first;
    spool::wait_group second;
    first.go([&] { EXPECT_EQ(pool.post(scope.ctx(), [] {}), channel_status::canceled); });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    second.go([&] { EXPECT_EQ(pool.submit([] { return 2; }).get(), 2); });
    spool_test::wait_until([&] { return pool.stats().waiting == 2; });
    scope.cancel();
    first.wait();
    EXPECT_TRUE(gate.close());
    second.wait();
  });
}

}  // namespace
