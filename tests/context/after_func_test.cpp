// after_func: a fiber that starts when a context is done.
#include <support/runtimes.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class AfterFunc : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(AfterFunc);

TEST_P(AfterFunc, RunsOnAFiberOfItsOwnOnceCancelled) {
  run([] {
    std::atomic<int> runs = 0;
    fiber_id runner;
    const cancel_scope scope = with_cancel(context::background());
    after_func(scope.ctx(), [&] {
      runner = this_fiber::id();
      ++runs;
    });
    EXPECT_EQ(runs, 0);
    scope.cancel();
    spool_test::wait_until([&] { return runs > 0; });
    EXPECT_NE(runner, this_fiber::id());
    EXPECT_NE(runner, fiber_id());
    scope.cancel();
    EXPECT_EQ(runs, 1);
  });
}

TEST_P(AfterFunc, OfADoneContextRunsAtOnce) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    scope.cancel();
    std::atomic<bool> ran = false;
    const auto stop = after_func(scope.ctx(), [&] { ran = true; });
    spool_test::wait_until([&] { return ran.load(); });
    EXPECT_FALSE(stop());
  });
}

TEST_P(AfterFunc, StopPreventsIt) {
  run([] {
    const auto held = std::make_shared<int>(1);
    const cancel_scope scope = with_cancel(context::background());
    const auto stop = after_func(scope.ctx(), [held] { FAIL() << "was stopped"; });
    EXPECT_EQ(held.use_count(), 2);
    EXPECT_TRUE(stop());
    EXPECT_EQ(held.use_count(), 1) << "f is dropped at once";
    EXPECT_FALSE(stop()) << "was prevented before";
    scope.cancel();
  });
}

TEST_P(AfterFunc, StopAfterTheEndReportsThatItCameTooLate) {
  run([] {
    std::atomic<bool> ran = false;
    const cancel_scope scope = with_cancel(context::background());
    const auto stop = after_func(scope.ctx(), [&] { ran = true; });
    scope.cancel();
    EXPECT_FALSE(stop());
    spool_test::wait_until([&] { return ran.load(); });
  });
}

TEST_P(AfterFunc, StopDoesNotWaitForARunningFunction) {
  run([] {
    std::atomic<bool> started = false;
    std::atomic<bool> release = false;
    std::atomic<bool> ended = false;
    const cancel_scope scope = with_cancel(context::background());
    const auto stop = after_func(scope.ctx(), [&] {
      started = true;
      spool_test::wait_until([&] { return release.load(); });
      ended = true;
    });
    scope.cancel();
    spool_test::wait_until([&] { return started.load(); });
    EXPECT_FALSE(stop());
    EXPECT_FALSE(ended);
    release = true;
    spool_test::wait_until([&] { return ended.load(); });
  });
}

TEST_P(AfterFunc, DroppingTheStopHandleDoesNotPreventIt) {
  run([] {
    std::atomic<bool> ran = false;
    const cancel_scope scope = with_cancel(context::background());
    {
      const auto stop = after_func(scope.ctx(), [&] { ran = true; });
    }
    scope.cancel();
    spool_test::wait_until([&] { return ran.load(); });
  });
}

TEST_P(AfterFunc, SeveralOfOneContextRunEachOnce) {
  run([] {
    std::atomic<int> runs = 0;
    const cancel_scope scope = with_cancel(context::background());
    for (int i = 0; i < 100; ++i) after_func(scope.ctx(), [&] { ++runs; });
    scope.cancel();
    spool_test::wait_until([&] { return runs == 100; });
  });
}

TEST_P(AfterFunc, FollowsAnAncestorsEndAndItsDeadline) {
  run([] {
    std::atomic<int> runs = 0;
    const cancel_scope parent = with_timeout(context::background(), 1ms);
    const cancel_scope child = with_cancel(parent.ctx());
    after_func(child.ctx(), [&] {
      if (child.ctx().err() == errc::deadline_exceeded) ++runs;
    });
    spool_test::wait_until([&] { return runs == 1; });
  });
}

TEST_P(AfterFunc, MayWaitAndCancelOtherContexts) {
  run([] {
    const cancel_scope first = with_cancel(context::background());
    const cancel_scope second = with_cancel(context::background());
    after_func(first.ctx(), [&] {
      this_fiber::sleep_for(100us);
      second.cancel();
    });
    first.cancel();
    second.ctx().wait();
    EXPECT_TRUE(second.ctx().done());
  });
}

TEST_P(AfterFunc, StartsOnItsRuntimeWhenAPlainThreadCancels) {
  run([] {
    runtime* const mine = runtime::current();
    std::atomic<runtime*> ran_on = nullptr;
    const cancel_scope scope = with_cancel(context::background());
    after_func(scope.ctx(), [&] { ran_on = runtime::current(); });
    std::thread([&] { scope.cancel(); }).join();
    spool_test::wait_until([&] { return ran_on != nullptr; });
    EXPECT_EQ(ran_on, mine);
  });
}

TEST_P(AfterFunc, IsDroppedWhenItsRuntimeHasEnded) {
  const auto held = std::make_shared<int>(1);
  const cancel_scope scope = with_cancel(context::background());
  run([&] { after_func(scope.ctx(), [held] { FAIL() << "there is no runtime to run on"; }); });
  scope.cancel();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_P(AfterFunc, OfTheBackgroundNeverRunsAndCanBePrevented) {
  run([] {
    const auto held = std::make_shared<int>(1);
    const auto stop = after_func(context::background(), [held] { FAIL(); });
    EXPECT_TRUE(stop());
    EXPECT_FALSE(stop());
    EXPECT_EQ(held.use_count(), 1);
  });
}

TEST_P(AfterFunc, IsDroppedWithTheLastHandles) {
  run([] {
    const auto held = std::make_shared<int>(1);
    std::stop_source source;
    {
      const context ctx = from_stop_token(context::background(), source.get_token());
      after_func(ctx, [held] { FAIL(); });
      EXPECT_EQ(held.use_count(), 2);
    }
    EXPECT_EQ(held.use_count(), 1);
    source.request_stop();
  });
}

TEST_P(AfterFunc, TheStopHandleKeepsTheContext) {
  run([] {
    std::stop_source source;
    std::atomic<bool> ran = false;
    const auto stop = after_func(from_stop_token(context::background(), source.get_token()), [&] { ran = true; });
    source.request_stop();
    spool_test::wait_until([&] { return ran.load(); });
  });
}

TEST_P(AfterFunc, StopAndCancelRaceForEachFunctionOnce) {
  run([] {
    for (int round = 0; round < 300; ++round) {
      std::atomic<int> runs = 0;
      std::atomic<int> decided = -1;
      {
        const cancel_scope scope = with_cancel(context::background());
        const auto stop = after_func(scope.ctx(), [&] { ++runs; });
        spool::go([&] { decided = stop() ? 1 : 0; });
        scope.cancel();
        spool_test::wait_until([&] { return decided >= 0; });
      }
      if (decided == 0) spool_test::wait_until([&] { return runs == 1; });
      EXPECT_EQ(runs + decided, 1);
    }
  });
}

TEST_P(AfterFunc, TakesAMoveOnlyFunction) {
  run([] {
    std::atomic<int> got = 0;
    const cancel_scope scope = with_cancel(context::background());
    after_func(scope.ctx(), [&got, p = std::make_unique<int>(5)] { got = *p; });
    scope.cancel();
    spool_test::wait_until([&] { return got == 5; });
  });
}

TEST(AfterFuncOnAPlainThread, IsRefused) {
  const cancel_scope scope = with_cancel(context::background());
  EXPECT_THROW(after_func(scope.ctx(), [] {}), std::logic_error);
}

TEST(AfterFuncDeathTest, AnEscapingExceptionEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        runtime rt({.threads = 1});
        rt.run([] {
          const cancel_scope scope = with_cancel(context::background());
          after_func(scope.ctx(), [] { throw std::runtime_error("let out"); });
          scope.cancel();
        });
      },
      "");
}

}  // namespace
