// Plain threads that hand jobs to a full pool: their jobs are accepted in their turn, they themselves are woken together,
// and none is left asleep.
#include "occupied.hpp"

#include <spool/testing/bubble.hpp>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::channel;
using spool::channel_status;
using spool::context;
using spool::worker_pool;

class PoolThreads : public spool_test::WithOccupiedPools {
 protected:
  static constexpr std::size_t capacity = 32;
  std::atomic<bool> returned{false};

  /// A thread that waits for room.
  std::thread one_more(worker_pool& pool, const context& ctx) {
    std::thread thread([this, &pool, ctx] {
      EXPECT_EQ(pool.post(ctx, [] {}), channel_status::ok);
      returned = true;
    });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    return thread;
  }
  void join(std::thread& thread) {
    spool_test::wait_until([&] { return returned.load(); });
    thread.join();
  }
};
SPOOL_INSTANTIATE_WORKERS(PoolThreads);

TEST_P(PoolThreads, GetTheRoomAtOnce) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = capacity});
    occupy(pool, 1 + capacity);
    std::thread thread = one_more(pool, context::background());
    EXPECT_TRUE(gate.send(0));
    spool_test::wait_until([&] { return pool.stats().completed == 1; });
    EXPECT_EQ(pool.stats().waiting, 0u);
    EXPECT_EQ(pool.stats().accepted, capacity + 2);
    EXPECT_EQ(pool.try_post([] {}), channel_status::full);
    EXPECT_TRUE(gate.close());
    join(thread);
  });
}

TEST_P(PoolThreads, GoOnThoughNoOtherJobEnds) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = capacity});
    occupy(pool, 1 + capacity);
    for (std::uint64_t ended = 1; ended <= 3; ++ended) {
      returned = false;
      std::thread thread = one_more(pool, context::background());
      EXPECT_TRUE(gate.send(0));  // the next job waits, too
      join(thread);
      EXPECT_EQ(pool.stats().completed, ended);
    }
    EXPECT_TRUE(gate.close());
  });
}

TEST_P(PoolThreads, GoOnThoughThePoolShrinks) {
  run([this] {
    worker_pool pool({.workers = 2, .queue_capacity = capacity});
    occupy(pool, 2 + capacity);
    std::thread thread = one_more(pool, context::background());
    EXPECT_TRUE(gate.send(0));
    pool.resize(1);
    EXPECT_TRUE(gate.send(0));
    EXPECT_TRUE(gate.send(0));
    join(thread);
    EXPECT_TRUE(gate.close());
  });
}

TEST_P(PoolThreads, GoOnThoughThePoolIsShutDown) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = capacity});
    occupy(pool, 1 + capacity);
    std::thread thread = one_more(pool, context::background());
    EXPECT_TRUE(gate.send(0));
    spool_test::wait_until([&] { return pool.stats().waiting == 0; });
    auto [ctx, cancel] = spool::with_cancel(context::background());
    cancel();
    spool::wait_group shutting;
    shutting.go([&, ctx = ctx] { EXPECT_EQ(pool.shutdown(ctx).abandoned, capacity); });
    join(thread);
    EXPECT_TRUE(gate.close());
    shutting.wait();
  });
}

// Bubbles have a clock that stands while a fiber can run.
TEST(PoolThreadsInABubble, AreWokenAtOnce) {
  spool::testing::run_in_bubble([] {
    worker_pool pool({.workers = 1, .queue_capacity = 32});
    channel<int> gate;
    for (int i = 0; i < 33; ++i) {
      ASSERT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
    }
    std::atomic<bool> returned{false};
    std::thread thread([&] {
      EXPECT_EQ(pool.post([] {}), channel_status::ok);
      returned = true;
    });
    spool_test::wait_until([&] { return pool.stats().waiting == 1; });
    EXPECT_TRUE(gate.send(0));
    spool_test::wait_until([&] { return returned.load(); });
    thread.join();
    EXPECT_TRUE(gate.close());
  });
}

// A thread that is woken for each job leaves its CPU as often.
TEST_P(PoolThreads, SleepThroughManyJobs) {
  constexpr long jobs = 1000;
  spool::runtime rt(options());
  worker_pool pool(rt, {.workers = 1, .queue_capacity = capacity});
  const auto sleeps = [] {
    rusage used{};
    ::getrusage(RUSAGE_THREAD, &used);
    return used.ru_nvcsw;
  };
  const long before = sleeps();
  for (long i = 0; i < jobs; ++i) {
    EXPECT_EQ(pool.post([] {
      const auto end = std::chrono::steady_clock::now() + 20us;
      while (std::chrono::steady_clock::now() < end) {
      }
    }),
              channel_status::ok);
  }
  EXPECT_LT(sleeps() - before, jobs / 2);
}

TEST_P(PoolThreads, GoOnThoughTheNextJobComputesUntilTheyDo) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = capacity});
    occupy(pool, 1);
    EXPECT_EQ(pool.post([this] {
      while (!returned) std::this_thread::yield();
    }),
              channel_status::ok);
    occupy(pool, capacity - 1);
    std::thread thread = one_more(pool, context::background());
    EXPECT_TRUE(gate.send(0));
    join(thread);
    EXPECT_TRUE(gate.close());
  });
}

TEST_P(PoolThreads, HaveTheirJobAcceptedThoughTheContextEndsBeforeTheyAreWoken) {
  run([this] {
    worker_pool pool({.workers = 1, .queue_capacity = capacity});
    occupy(pool, 1 + capacity);
    auto [ctx, cancel] = spool::with_cancel(context::background());
    std::thread thread = one_more(pool, ctx);
    EXPECT_TRUE(gate.send(0));
    spool_test::wait_until([&] { return pool.stats().waiting == 0; });
    cancel();
    EXPECT_TRUE(gate.close());
    join(thread);
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.stats().completed + pool.stats().expired, capacity + 2);
  });
}

TEST_P(PoolThreads, LoseNoJobAndNobodySleepsOnWhilePoolsComeAndGo) {
  constexpr int pools = 20, threads = 3, jobs = 150;
  std::atomic<int> done{0};
  spool::runtime rt(options());
  for (int round = 0; round < pools; ++round) {
    worker_pool pool(rt, {.workers = 2, .queue_capacity = capacity});
    std::vector<std::thread> posting;
    for (int t = 0; t < threads; ++t) {
      posting.emplace_back([&] {
        for (int i = 0; i < jobs; ++i) {
          EXPECT_EQ(pool.post([&done, i] {
            if (i % 16 == 0) spool::this_fiber::yield();
            ++done;
          }),
                    channel_status::ok);
        }
      });
    }
    for (auto& t : posting) t.join();
  }
  EXPECT_EQ(done, pools * threads * jobs);
}

}  // namespace
