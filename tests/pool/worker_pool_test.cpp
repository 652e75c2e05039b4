// Submitting and posting: results, exceptions, refusals, what happens to the closures.
#include "support/runtimes.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using spool::channel_status;
using spool::context;
using spool::errc;
using spool::worker_pool;

class WorkerPool : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(WorkerPool);

TEST_P(WorkerPool, SubmitGivesTheResult) {
  run([] {
    worker_pool pool;
    EXPECT_EQ(pool.submit([] { return 6 * 7; }).get(), 42);
  });
}

TEST_P(WorkerPool, SubmitWorksFromAPlainThread) {
  spool::runtime rt(options());
  worker_pool pool(rt);
  EXPECT_EQ(pool.submit([] { return std::string("done"); }).get(), "done");
}

TEST_P(WorkerPool, JobsRunOnFibersOfThePoolsRuntime) {
  spool::runtime rt(options());
  worker_pool pool(rt);
  EXPECT_EQ(pool.submit([] { return spool::runtime::current(); }).get(), &rt);
}

TEST_P(WorkerPool, VoidReferenceAndMoveOnlyResults) {
  run([] {
    worker_pool pool;
    int target = 1;
    pool.submit([&target] { target = 2; }).get();
    EXPECT_EQ(target, 2);
    EXPECT_EQ(&pool.submit([&target]() -> int& { return target; }).get(), &target);
    EXPECT_EQ(*pool.submit([] { return std::make_unique<int>(7); }).get(), 7);
    auto moved = pool.submit([&target]() -> int&& { return std::move(target); });
    static_assert(std::is_same_v<decltype(moved), spool::future<int>>);
    EXPECT_EQ(moved.get(), 2);
  });
}

TEST_P(WorkerPool, MoveOnlyAndLargeClosures) {
  run([] {
    worker_pool pool;
    auto number = std::make_unique<int>(5);
    std::array<char, 4096> large{};
    large.back() = 'z';
    auto f = pool.submit([n = std::move(number), large] { return *n + large.back(); });
    EXPECT_EQ(f.get(), 5 + 'z');
  });
}

TEST_P(WorkerPool, OverAlignedClosures) {
  run([] {
    struct alignas(64) wide {
      int value = 3;
    };
    worker_pool pool;
    EXPECT_TRUE(pool.submit([w = wide{}] { return reinterpret_cast<std::uintptr_t>(&w) % 64 == 0; }).get());
  });
}

TEST_P(WorkerPool, LvalueCallablesAreCopied) {
  run([] {
    worker_pool pool;
    const auto shared = std::make_shared<int>(1);
    const auto job = [shared] { return shared.use_count(); };
    EXPECT_GE(pool.submit(job).get(), 2);
    EXPECT_EQ(*shared, 1);
  });
}

TEST_P(WorkerPool, FunctionPointersAndMutableCallables) {
  run([] {
    worker_pool pool;
    struct five {
      static int value() { return 5; }
    };
    EXPECT_EQ(pool.submit(&five::value).get(), 5);
    EXPECT_EQ(pool.submit([n = 1]() mutable { return ++n; }).get(), 2);
  });
}

TEST_P(WorkerPool, AnExceptionReachesTheFuture) {
  run([] {
    worker_pool pool;
    auto f = pool.submit([]() -> int { throw std::out_of_range("too far"); });
    EXPECT_THROW(f.get(), std::out_of_range);
    const auto s = pool.stats();
    EXPECT_EQ(s.failed, 1u);
    EXPECT_EQ(s.completed, 0u);
  });
}

TEST_P(WorkerPool, AnExceptionDoesNotHarmTheNextJobs) {
  run([] {
    worker_pool pool({.workers = 1});
    for (int i = 0; i < 100; ++i) {
      auto bad = pool.submit([] { throw std::runtime_error("bad"); });
      EXPECT_EQ(pool.submit([i] { return i; }).get(), i);
      EXPECT_THROW(bad.get(), std::runtime_error);
    }
    EXPECT_EQ(pool.stats().failed, 100u);
    EXPECT_EQ(pool.stats().completed, 100u);
  });
}

TEST_P(WorkerPool, PostRunsTheJob) {
  run([] {
    std::atomic<int> ran{0};
    worker_pool pool;
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(pool.post([&ran] { ++ran; }), channel_status::ok);
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(ran, 1000);
    EXPECT_EQ(pool.stats().completed, 1000u);
  });
}

TEST_P(WorkerPool, AnExceptionOfAPostedJobGoesToOnError) {
  run([] {
    spool::channel<std::string> messages(1);
    worker_pool pool({.on_error = [messages](spool::error e) { (void)messages.send(e.message()); }});
    EXPECT_EQ(pool.post([] { throw std::runtime_error("lost page"); }), channel_status::ok);
    EXPECT_EQ(messages.recv().value(), "lost page");
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.stats().failed, 1u);
  });
}

TEST_P(WorkerPool, OnErrorMayWait) {
  run([] {
    spool::channel<int> unbuffered;
    worker_pool pool({.workers = 1, .on_error = [unbuffered](spool::error) { (void)unbuffered.send(1); }});
    EXPECT_EQ(pool.post([] { throw 1; }), channel_status::ok);
    EXPECT_EQ(unbuffered.recv(), 1);
  });
}

TEST_P(WorkerPool, WithoutOnErrorAnExceptionIsLoggedAndCounted) {
  run([] {
    worker_pool pool;
    EXPECT_EQ(pool.post([] { throw std::runtime_error("logged by WithoutOnError"); }), channel_status::ok);
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.stats().failed, 1u);
  });
}

TEST_P(WorkerPool, AnExceptionFromOnErrorEndsThere) {
  run([] {
    worker_pool pool({.on_error = [](spool::error) { throw std::runtime_error("from the handler"); }});
    EXPECT_EQ(pool.post([] { throw std::runtime_error("from the job"); }), channel_status::ok);
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  });
}

TEST_P(WorkerPool, DroppingAFutureNeitherWaitsNorCancels) {
  run([] {
    spool::channel<int> gate;
    std::atomic<bool> ran{false};
    worker_pool pool;
    {
      auto dropped = pool.submit([&] { ran = gate.recv().has_value(); });
    }
    EXPECT_FALSE(ran);
    EXPECT_TRUE(gate.send(1));
    EXPECT_FALSE(pool.drain());
    EXPECT_TRUE(ran);
  });
}

TEST_P(WorkerPool, CapturesAreDestroyedBeforeTheFutureIsReady) {
  run([] {
    worker_pool pool;
    for (int i = 0; i < 200; ++i) {
      auto alive = std::make_shared<int>(i);
      const std::weak_ptr<int> watch = alive;
      auto f = pool.submit([held = std::move(alive)] { return *held; });
      f.wait();
      EXPECT_TRUE(watch.expired());
      EXPECT_EQ(f.get(), i);
    }
  });
}

TEST_P(WorkerPool, CapturesOfPostedJobsAreDestroyedBeforeDrainReturns) {
  run([] {
    worker_pool pool;
    const auto counted = std::make_shared<int>(0);
    for (int i = 0; i < 200; ++i) EXPECT_EQ(pool.post([counted] {}), channel_status::ok);
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(counted.use_count(), 1);
  });
}

TEST_P(WorkerPool, OneWorkerRunsJobsInTheOrderOfTheirSubmission) {
  run([] {
    std::vector<int> order;
    {
      worker_pool pool({.workers = 1, .queue_capacity = 4});
      for (int i = 0; i < 500; ++i) EXPECT_EQ(pool.post([&order, i] { order.push_back(i); }), channel_status::ok);
    }
    ASSERT_EQ(order.size(), 500u);
    for (int i = 0; i < 500; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  });
}

TEST_P(WorkerPool, FuturesMayBeSelectedOn) {
  run([] {
    worker_pool pool({.workers = 2});
    spool::channel<int> gate;
    auto slow = pool.submit([gate] { return gate.recv().value_or(0); });
    auto fast = pool.submit([] { return 2; });
    const std::size_t first = spool::select(spool::on_ready(slow, [] {}), spool::on_ready(fast, [] {}));
    EXPECT_EQ(first, 1u);
    EXPECT_TRUE(gate.close());
    EXPECT_EQ(slow.get(), 0);
  });
}

TEST_P(WorkerPool, JobsMayStartFibersAndWaitForThem) {
  run([] {
    worker_pool pool;
    auto f = pool.submit([] {
      auto inner = spool::async([] { return 20; });
      return inner.get() + 1;
    });
    EXPECT_EQ(f.get(), 21);
  });
}

TEST_P(WorkerPool, ManyProducersOfBothKinds) {
  spool::runtime rt(options());
  std::atomic<int> sum{0};
  worker_pool pool(rt, {.queue_capacity = 7});
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) EXPECT_EQ(pool.submit([&sum, i] { return sum += 1, i; }).get(), i);
    });
  }
  rt.run([&] {
    spool::wait_group all;
    for (int t = 0; t < 10; ++t) {
      all.go([&] {
        for (int i = 0; i < 200; ++i) EXPECT_EQ(pool.post([&sum] { ++sum; }), channel_status::ok);
      });
    }
    all.wait();
  });
  for (auto& t : threads) t.join();
  EXPECT_FALSE(pool.drain());
  EXPECT_EQ(sum, 3 * 500 + 10 * 200);
  EXPECT_EQ(pool.stats().accepted, 3500u);
}

TEST_P(WorkerPool, AnIdlePoolHoldsNoFiber) {
  run([] {
    worker_pool pool({.workers = 8});
    for (int i = 0; i < 100; ++i) EXPECT_EQ(pool.post([] {}), channel_status::ok);
    EXPECT_FALSE(pool.drain());
    spool_test::wait_until([] { return spool::fiber_count() == 1; });
  });
}

TEST_P(WorkerPool, TheDestructorRunsWhatWasAccepted) {
  run([] {
    std::atomic<int> ran{0};
    {
      worker_pool pool({.workers = 2});
      for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(pool.post([&ran] {
          spool::this_fiber::yield();
          ++ran;
        }),
                  channel_status::ok);
      }
    }
    EXPECT_EQ(ran, 50);
  });
}

TEST_P(WorkerPool, TheDestructorRunsWhatWasAcceptedOnAPlainThread) {
  spool::runtime rt(options());
  std::atomic<int> ran{0};
  {
    worker_pool pool(rt);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.post([&ran] { ++ran; }), channel_status::ok);
  }
  EXPECT_EQ(ran, 50);
}

TEST_P(WorkerPool, ManyShortLivedPools) {
  run([] {
    for (int i = 0; i < 300; ++i) {
      worker_pool pool({.workers = 3, .queue_capacity = 1});
      auto f = pool.submit([i] { return i; });
      EXPECT_EQ(pool.post([] {}), channel_status::ok);
      EXPECT_EQ(f.get(), i);
    }
  });
}

TEST_P(WorkerPool, AFutureMayOutliveItsPool) {
  run([] {
    spool::future<int> f;
    {
      worker_pool pool;
      f = pool.submit([] { return 9; });
    }
    EXPECT_TRUE(f.ready());
    EXPECT_EQ(f.get(), 9);
  });
}

TEST(WorkerPoolOptions, OnAPlainThreadAPoolNeedsARuntime) { EXPECT_THROW(worker_pool pool, std::logic_error); }

TEST(WorkerPoolOptions, AbsurdNumbersAreRefused) {
  spool::runtime rt({.threads = 1});
  EXPECT_THROW(worker_pool(rt, {.workers = static_cast<std::size_t>(-1)}), std::invalid_argument);
  EXPECT_THROW(worker_pool(rt, {.workers = 2'000'000}), std::invalid_argument);
  EXPECT_THROW(worker_pool(rt, {.queue_capacity = static_cast<std::size_t>(-5)}), std::invalid_argument);
  worker_pool pool(rt);
  EXPECT_THROW(pool.resize(static_cast<std::size_t>(-1)), std::invalid_argument);
  EXPECT_EQ(pool.stats().workers, 1u);
}

TEST(WorkerPoolOptions, WorkersDefaultToTheThreadsOfTheRuntime) {
  spool::runtime rt({.threads = 3});
  EXPECT_EQ(worker_pool(rt).stats().workers, 3u);
  EXPECT_EQ(worker_pool(rt, {.workers = 5}).stats().workers, 5u);
}

TEST(WorkerPoolOptions, ACallableThatNeedsNoContextGetsNone) {
  spool::run([] {
    struct both {
      int operator()() const { return 0; }
      int operator()(const context&) const { return 1; }
    };
    worker_pool pool;
    EXPECT_EQ(pool.submit(both{}).get(), 0);
  });
}

}  // namespace
