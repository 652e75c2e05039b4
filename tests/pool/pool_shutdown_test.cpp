// close, drain, shutdown and destruction.
#include "support/runtimes.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using spool::channel;
using spool::channel_status;
using spool::context;
using spool::errc;
using spool::worker_pool;

class PoolShutdown : public spool_test::WithWorkers {
 protected:
  static context done_context() {
    auto scope = spool::with_cancel(context::background());
    scope.cancel();
    return scope.ctx();
  }
};
SPOOL_INSTANTIATE_WORKERS(PoolShutdown);

template <class T>
spool::error error_of(spool::future<T>& f) {
  try {
    f.get();
    return {};
  } catch (...) {
    return std::current_exception();
  }
}

TEST_P(PoolShutdown, AClosedPoolRefuses) {
  run([] {
    worker_pool pool;
    pool.close();
    pool.close();
    auto held = pool.submit([] { return 1; });
    EXPECT_TRUE(held.ready());
    EXPECT_EQ(error_of(held).code(), errc::closed);
    EXPECT_EQ(pool.submit(context::background(), [] {}).error(), errc::closed);
    EXPECT_EQ(pool.try_submit([] {}).error(), errc::closed);
    EXPECT_EQ(pool.post([] {}), channel_status::closed);
    EXPECT_EQ(pool.try_post([] {}), channel_status::closed);
    EXPECT_EQ(pool.stats().rejected, 5u);
    EXPECT_EQ(pool.stats().accepted, 0u);
  });
}

TEST_P(PoolShutdown, AJobRefusedByAClosedPoolIsNotMovedFrom) {
  run([] {
    worker_pool pool;
    pool.close();
    auto job = [owned = std::make_unique<int>(6)] { return *owned; };
    auto held = pool.submit(std::move(job));
    EXPECT_EQ(pool.post(std::move(job)), channel_status::closed);
    EXPECT_EQ(job(), 6);
    EXPECT_EQ(error_of(held).code(), errc::closed);
  });
}

TEST_P(PoolShutdown, CloseLetsAcceptedJobsRun) {
  run([] {
    worker_pool pool({.workers = 1});
    channel<int> gate;
    std::vector<spool::future<int>> accepted;
    EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
    for (int i = 0; i < 10; ++i) accepted.push_back(pool.submit([i] { return i; }));
    pool.close();
    EXPECT_TRUE(gate.close());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(accepted[static_cast<std::size_t>(i)].get(), i);
  });
}

TEST_P(PoolShutdown, CloseRefusesThoseWhoWaitForRoom) {
  run([] {
    worker_pool pool({.workers = 1, .queue_capacity = 0});
    channel<int> gate;
    EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
    spool::wait_group waiting;
    std::atomic<int> refused{0};
    auto job = [owned = std::make_unique<int>(2)] { return *owned; };
    waiting.go([&] { refused += pool.post([] {}) == channel_status::closed; });
    waiting.go([&] { refused += pool.submit(context::background(), [] {}).error() == errc::closed; });
    waiting.go([&] {
      auto held = pool.submit(std::move(job));
      refused += error_of(held) == errc::closed;
    });
    spool_test::wait_until([&] { return pool.stats().waiting == 3; });
    pool.close();
    waiting.wait();
    EXPECT_EQ(refused, 3);
    EXPECT_EQ(job(), 2);
    EXPECT_EQ(pool.stats().rejected, 3u);
    EXPECT_TRUE(gate.close());
  });
}

TEST_P(PoolShutdown, CloseRefusesAPlainThreadThatWaits) {
  spool::runtime rt(options());
  worker_pool pool(rt, {.workers = 1, .queue_capacity = 0});
  channel<int> gate;
  EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
  std::thread waiting([&] { EXPECT_EQ(pool.post([] {}), channel_status::closed); });
  spool_test::wait_until([&] { return pool.stats().waiting == 1; });
  pool.close();
  waiting.join();
  EXPECT_TRUE(gate.close());
}

TEST_P(PoolShutdown, SubmittingRacesSafelyWithClose) {
  spool::runtime rt(options());
  for (int round = 0; round < 50; ++round) {
    std::atomic<std::uint64_t> ran{0};
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> refused{0};
    {
      worker_pool pool(rt, {.workers = 2, .queue_capacity = 2});
      std::atomic<int> started{0};
      const auto produce = [&] {
        ++started;
        while (pool.post([&ran] { ++ran; }) == channel_status::ok) ++accepted;
        ++refused;
      };
      std::thread outside(produce);
      rt.run([&] {
        for (int i = 0; i < 3; ++i) spool::go(produce);
        spool_test::wait_until([&] { return started == 4 && accepted > 20; });
        pool.close();
      });
      outside.join();
      EXPECT_FALSE(pool.drain());
      const auto s = pool.stats();
      EXPECT_EQ(s.accepted, accepted);
      EXPECT_EQ(s.completed, accepted);
      EXPECT_EQ(s.rejected, 4u);
    }
    EXPECT_EQ(ran, accepted);
    EXPECT_EQ(refused, 4u);
  }
}

TEST_P(PoolShutdown, DrainWaitsForEveryAcceptedJobAndItsFuture) {
  run([] {
    worker_pool pool({.workers = 4});
    for (int round = 0; round < 100; ++round) {
      std::vector<spool::future<int>> accepted;
      for (int i = 0; i < 10; ++i) {
        accepted.push_back(pool.submit([i] {
          spool::this_fiber::yield();
          return i;
        }));
      }
      EXPECT_FALSE(pool.drain());
      for (auto& f : accepted) EXPECT_TRUE(f.ready());
    }
  });
}

TEST_P(PoolShutdown, DrainLeavesThePoolOpen) {
  run([] {
    worker_pool pool;
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.submit([] { return 2; }).get(), 2);
  });
}

TEST_P(PoolShutdown, DrainEndsWithItsContext) {
  run([] {
    worker_pool pool({.workers = 1});
    channel<int> gate;
    EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
    const auto soon = spool::with_timeout(context::background(), std::chrono::milliseconds(2));
    EXPECT_EQ(pool.drain(soon.ctx()), errc::deadline_exceeded);
    EXPECT_EQ(pool.drain(done_context()), errc::canceled);
    EXPECT_TRUE(gate.close());
    EXPECT_FALSE(pool.drain());
  });
}

TEST_P(PoolShutdown, SeveralMayDrainAtATime) {
  spool::runtime rt(options());
  worker_pool pool(rt);
  channel<int> gate;
  EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
  std::thread outside([&] { EXPECT_FALSE(pool.drain()); });
  rt.run([&] {
    spool::wait_group all;
    for (int i = 0; i < 5; ++i) all.go([&] { EXPECT_FALSE(pool.drain()); });
    spool::this_fiber::yield();
    EXPECT_TRUE(gate.close());
    all.wait();
  });
  outside.join();
  EXPECT_EQ(pool.stats().completed, 1u);
}

TEST_P(PoolShutdown, DrainAndShutdownFromAnOwnJobAreRefused) {
  run([] {
    worker_pool pool;
    pool.submit([&] {
          EXPECT_THROW((void)pool.drain(), std::logic_error);
          EXPECT_THROW((void)pool.shutdown(context::background()), std::logic_error);
        })
        .get();
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);  // it was not closed
  });
}

TEST_P(PoolShutdown, AJobMayDrainAnotherPool) {
  run([] {
    worker_pool outer;
    worker_pool inner;
    std::atomic<bool> ran{false};
    outer
        .submit([&] {
          EXPECT_EQ(inner.post([&ran] { ran = true; }), channel_status::ok);
          EXPECT_FALSE(inner.drain());
        })
        .get();
    EXPECT_TRUE(ran);
  });
}

TEST_P(PoolShutdown, WithTimeEnoughEverythingEnds) {
  run([] {
    worker_pool pool({.workers = 2});
    for (int i = 0; i < 20; ++i) EXPECT_EQ(pool.post([] { spool::this_fiber::yield(); }), channel_status::ok);
    auto failing = pool.submit([] { throw std::runtime_error("x"); });
    const auto report = pool.shutdown(context::background());
    EXPECT_EQ(report.completed, 20u);
    EXPECT_EQ(report.failed, 1u);
    EXPECT_EQ(report.expired + report.abandoned, 0u);
    EXPECT_EQ(pool.post([] {}), channel_status::closed);
    EXPECT_THROW(failing.get(), std::runtime_error);
  });
}

TEST_P(PoolShutdown, PastTheDeadlineQueuedJobsAreAbandonedAndRunningOnesCancelled) {
  run([] {
    worker_pool pool({.workers = 2, .queue_capacity = 100});
    channel<int> started(2);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(pool.post([started](const context& ctx) {
        (void)started.send(1);
        ctx.wait();
      }),
                channel_status::ok);
    }
    for (int i = 0; i < 2; ++i) EXPECT_EQ(started.recv(), 1);
    const auto held = std::make_shared<int>(0);
    std::vector<spool::future<void>> queued;
    for (int i = 0; i < 10; ++i) queued.push_back(pool.submit([held] { ADD_FAILURE() << "it ran"; }));
    const auto soon = spool::with_timeout(context::background(), std::chrono::milliseconds(2));
    const auto report = pool.shutdown(soon.ctx());
    EXPECT_EQ(report.completed, 2u);
    EXPECT_EQ(report.abandoned, 10u);
    EXPECT_EQ(report.expired, 0u);
    for (auto& f : queued) {
      EXPECT_TRUE(f.ready());
      EXPECT_EQ(error_of(f).code(), errc::abandoned);
    }
    EXPECT_EQ(held.use_count(), 1);
    const auto s = pool.stats();
    EXPECT_EQ(s.completed + s.failed + s.expired + s.abandoned, s.accepted);
    EXPECT_EQ(s.queued, 0u);
  });
}

TEST_P(PoolShutdown, ShutdownWaitsForRunningJobsThatIgnoreTheirContext) {
  run([] {
    worker_pool pool({.workers = 1});
    channel<int> gate;
    channel<int> started(1);
    std::atomic<bool> ended{false};
    EXPECT_EQ(pool.post([&, gate, started] {
      (void)started.send(1);
      (void)gate.recv();
      ended = true;
    }),
              channel_status::ok);
    EXPECT_EQ(started.recv(), 1);
    spool::wait_group closing;
    std::atomic<bool> down{false};
    closing.go([&] {
      EXPECT_EQ(pool.shutdown(done_context()).completed, 1u);
      EXPECT_TRUE(ended);
      down = true;
    });
    for (int i = 0; i < 500; ++i) spool::this_fiber::yield();
    EXPECT_FALSE(down);
    EXPECT_TRUE(gate.close());
    closing.wait();
  });
}

TEST_P(PoolShutdown, AJobThatWaitsForAnAbandonedOneGoesOn) {
  run([] {
    worker_pool pool({.workers = 1});
    channel<int> slot_taken(1);
    auto outer = pool.submit([&] {
      EXPECT_EQ(pool.post([&](const context& ctx) {
        (void)slot_taken.send(1);
        ctx.wait();
      }),
                channel_status::ok);
      auto behind = pool.submit([] { ADD_FAILURE() << "it ran"; });
      return error_of(behind);  // lends the slot to the job before
    });
    EXPECT_EQ(slot_taken.recv(), 1);
    const auto report = pool.shutdown(done_context());
    EXPECT_EQ(report.completed, 2u);
    EXPECT_EQ(report.abandoned, 1u);
    EXPECT_EQ(outer.get().code(), errc::abandoned);
  });
}

TEST_P(PoolShutdown, AbandonedPostedJobsAreReported) {
  run([] {
    std::atomic<int> reported{0};
    worker_pool pool({.workers = 1, .on_error = [&](spool::error e) { reported += e == errc::abandoned; }});
    channel<int> started(1);
    EXPECT_EQ(pool.post([started](const context& ctx) {
      (void)started.send(1);
      ctx.wait();
    }),
              channel_status::ok);
    EXPECT_EQ(started.recv(), 1);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(pool.post([] {}), channel_status::ok);
    EXPECT_EQ(pool.shutdown(done_context()).abandoned, 5u);
    EXPECT_EQ(reported, 5);
  });
}

TEST_P(PoolShutdown, ASecondShutdownGivesTheSameReport) {
  run([] {
    worker_pool pool({.workers = 1});
    pool.submit([] {}).get();
    EXPECT_EQ(pool.shutdown(context::background()).completed, 1u);
    EXPECT_EQ(pool.shutdown(done_context()).completed, 1u);
  });
}

TEST_P(PoolShutdown, ShutdownFromAPlainThread) {
  spool::runtime rt(options());
  worker_pool pool(rt, {.workers = 1});
  channel<int> started(1);
  EXPECT_EQ(pool.post([started](const context& ctx) {
    (void)started.send(1);
    ctx.wait();
  }),
            channel_status::ok);
  EXPECT_EQ(started.recv(), 1);
  auto queued = pool.submit([] {});
  const auto soon = spool::with_timeout(context::background(), std::chrono::milliseconds(2));
  const auto report = pool.shutdown(soon.ctx());
  EXPECT_EQ(report.completed, 1u);
  EXPECT_EQ(report.abandoned, 1u);
  EXPECT_EQ(error_of(queued).code(), errc::abandoned);
}

TEST_P(PoolShutdown, EveryAcceptedJobIsCountedOnceWhateverEndsIt) {
  spool::runtime rt(options());
  for (int round = 0; round < 30; ++round) {
    worker_pool pool(rt, {.workers = 3, .queue_capacity = 20, .on_error = [](spool::error) {}});
    auto scope = spool::with_cancel(context::background());
    std::thread outside([&] {
      for (int i = 0; pool.post([i] {
             if (i % 3 == 0) throw i;
           }) == channel_status::ok;
           ++i) {
      }
    });
    rt.run([&] {
      for (int p = 0; p < 2; ++p) {
        spool::go([&] {
          while (pool.post(scope.ctx(), [] { spool::this_fiber::yield(); }) == channel_status::ok) {
          }
        });
      }
      spool_test::wait_until([&] { return pool.stats().completed > 20; });
      scope.cancel();
      const auto soon = spool::with_timeout(context::background(), std::chrono::microseconds(200));
      const auto r = pool.shutdown(soon.ctx());
      const auto s = pool.stats();
      EXPECT_EQ(r.completed + r.failed + r.expired + r.abandoned, s.accepted);
      EXPECT_EQ(s.busy + s.queued, 0u);
    });
    outside.join();
  }
}

TEST_P(PoolShutdown, ThePoolMayGoAsSoonAsADrainHasReturned) {
  spool::runtime rt(options());
  for (int round = 0; round < 200; ++round) {
    std::optional<worker_pool> pool(std::in_place, rt, spool::worker_pool_options{.workers = 4});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(pool->post([] {}), channel_status::ok);
    EXPECT_FALSE(pool->drain());
    pool.reset();
  }
}

}  // namespace
