// What a job's context is, and jobs that expire.
#include "support/runtimes.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>

namespace {

using spool::channel;
using spool::channel_status;
using spool::context;
using spool::errc;
using spool::worker_pool;

class PoolContext : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(PoolContext);

const spool::context_key<int> request_id("request id");

TEST_P(PoolContext, AJobMayTakeAContext) {
  run([] {
    worker_pool pool;
    EXPECT_FALSE(pool.submit([](const context& ctx) { return ctx.done(); }).get());
  });
}

TEST_P(PoolContext, ItCarriesTheValuesOfTheSubmittersContext) {
  run([] {
    worker_pool pool;
    const auto read = [](const context& ctx) { return ctx.value(request_id) ? *ctx.value(request_id) : -1; };
    EXPECT_EQ(pool.submit(read).get(), -1);
    const context with_id = spool::with_value(context::background(), request_id, 11);
    EXPECT_EQ(pool.submit(with_id, read).value().get(), 11);
    const auto scope = spool::with_cancel(with_id);
    EXPECT_EQ(pool.submit(scope.ctx(), read).value().get(), 11);
  });
}

TEST_P(PoolContext, ItFollowsTheSubmittersContext) {
  run([] {
    worker_pool pool;
    auto scope = spool::with_cancel(context::background());
    channel<int> started(1);
    auto f = pool.submit(scope.ctx(), [started](const context& ctx) {
      (void)started.send(1);
      ctx.wait();
      return ctx.err();
    });
    EXPECT_EQ(started.recv(), 1);
    scope.cancel();
    EXPECT_EQ(f.value().get(), errc::canceled);
    EXPECT_EQ(pool.stats().completed, 1u);
  });
}

TEST_P(PoolContext, ItHasTheSubmittersDeadline) {
  run([] {
    worker_pool pool;
    const auto scope = spool::with_timeout(context::background(), std::chrono::hours(1));
    auto f = pool.submit(scope.ctx(), [](const context& ctx) { return ctx.deadline(); });
    EXPECT_EQ(f.value().get(), scope.ctx().deadline());
  });
}

TEST_P(PoolContext, ItIsCancelledWhenThePoolIsShutDown) {
  run([] {
    worker_pool pool({.workers = 3});
    channel<int> started(3);
    const auto until_done = [started](const context& ctx) {
      (void)started.send(1);
      ctx.wait();
      return ctx.err();
    };
    const auto scope = spool::with_cancel(context::background());
    auto plain = pool.submit(until_done);
    auto derived = pool.submit(scope.ctx(), until_done);
    auto valued = pool.submit(spool::with_value(context::background(), request_id, 1), until_done);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(started.recv(), 1);
    auto now = spool::with_cancel(context::background());
    now.cancel();
    EXPECT_EQ(pool.shutdown(now.ctx()).completed, 3u);
    EXPECT_EQ(plain.get(), errc::canceled);
    EXPECT_EQ(derived.value().get(), errc::canceled);
    EXPECT_EQ(valued.value().get(), errc::canceled);
    EXPECT_FALSE(scope.ctx().done());
  });
}

TEST_P(PoolContext, AContextThatIsDoneWinsOverARoomyPool) {
  run([] {
    worker_pool pool;
    auto scope = spool::with_cancel(context::background());
    scope.cancel();
    std::atomic<bool> ran{false};
    auto job = [&ran, owned = std::make_unique<int>(3)] { ran = *owned == 3; };
    EXPECT_EQ(pool.submit(scope.ctx(), std::move(job)).error(), errc::canceled);
    EXPECT_EQ(pool.try_submit(scope.ctx(), std::move(job)).error(), errc::canceled);
    EXPECT_EQ(pool.post(scope.ctx(), std::move(job)), channel_status::canceled);
    EXPECT_EQ(pool.try_post(scope.ctx(), std::move(job)), channel_status::canceled);
    EXPECT_FALSE(pool.drain());
    EXPECT_FALSE(ran);
    EXPECT_EQ(pool.stats().accepted, 0u);
    EXPECT_EQ(pool.stats().rejected, 4u);
    pool.submit(std::move(job)).get();
    EXPECT_TRUE(ran);
  });
}

TEST_P(PoolContext, AJobWhoseContextIsDoneBeforeItStartsDoesNotRun) {
  run([] {
    worker_pool pool({.workers = 1});
    channel<int> gate;
    EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
    auto scope = spool::with_cancel(context::background());
    std::atomic<int> ran{0};
    auto takes_none = pool.submit(scope.ctx(), [&ran] { ++ran; });
    auto takes_one = pool.submit(scope.ctx(), [&ran](const context&) { return ++ran; });
    auto unrelated = pool.submit([&ran] { ran += 10; });
    scope.cancel();
    EXPECT_TRUE(gate.close());
    unrelated.get();
    EXPECT_EQ(ran, 10);
    for (auto code : {errc::canceled}) {
      try {
        takes_none.value().get();
        ADD_FAILURE() << "it ran";
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), code);
        EXPECT_EQ(e.code(), std::errc::operation_canceled);
      }
      EXPECT_THROW(takes_one.value().get(), std::system_error);
    }
    EXPECT_EQ(pool.stats().expired, 2u);
    EXPECT_EQ(pool.stats().completed, 2u);
  });
}

TEST_P(PoolContext, AnExpiredDeadlineIsReportedAsSuch) {
  run([] {
    worker_pool pool({.workers = 1});
    channel<int> gate;
    EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
    const auto scope = spool::with_timeout(context::background(), std::chrono::milliseconds(2));
    auto late = pool.submit(scope.ctx(), [] {});
    scope.ctx().wait();
    EXPECT_TRUE(gate.close());
    try {
      late.value().get();
      ADD_FAILURE() << "it ran";
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::timed_out);
    }
  });
}

TEST_P(PoolContext, WhyAPostedJobDidNotRunGoesToOnError) {
  run([] {
    std::atomic<int> reported{0};
    worker_pool pool({.workers = 1, .on_error = [&](spool::error e) { reported += e == errc::canceled ? 1 : 100; }});
    channel<int> gate;
    EXPECT_EQ(pool.post([gate] { (void)gate.recv(); }), channel_status::ok);
    auto scope = spool::with_cancel(context::background());
    EXPECT_EQ(pool.post(scope.ctx(), [] { ADD_FAILURE() << "it ran"; }), channel_status::ok);
    scope.cancel();
    EXPECT_TRUE(gate.close());
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(reported, 1);
    EXPECT_EQ(pool.stats().expired, 1u);
  });
}

TEST_P(PoolContext, AReadyFutureKeepsNeitherContextNorClosure) {
  run([] {
    worker_pool pool;
    struct tracker {
      std::shared_ptr<int> counted;
    };
    const spool::context_key<tracker> key("tracker");
    const auto counted = std::make_shared<int>(0);
    auto f = pool.submit(spool::with_value(context::background(), key, tracker{counted}), [] { return 1; });
    f.value().wait();
    EXPECT_EQ(counted.use_count(), 1);
  });
}

TEST_P(PoolContext, TheEndOfTheRuntimeDoesNotExpireJobs) {
  std::atomic<int> ran{0};
  {
    spool::runtime rt(options());
    rt.run([&] {
      spool::go([&] {
        worker_pool pool({.workers = 1});
        spool::runtime::current()->root().wait();  // run is ending
        for (int i = 0; i < 10; ++i) {
          EXPECT_EQ(pool.post([&](const context& ctx) { ran += ctx.done() ? 100 : 1; }), channel_status::ok);
        }
      });
    });
  }
  EXPECT_EQ(ran, 10);
}

}  // namespace
