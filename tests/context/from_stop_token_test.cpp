// std::stop_token in both directions.
#include <support/runtimes.hpp>

#include <atomic>
#include <stop_token>
#include <thread>

namespace {

using namespace spool;
using namespace std::chrono_literals;

TEST(StopToken, OfTheBackgroundHasNoState) { EXPECT_FALSE(context::background().stop_token().stop_possible()); }

TEST(StopToken, IsAskedToStopByACancellation) {
  const cancel_scope scope = with_cancel(context::background());
  const std::stop_token token = scope.ctx().stop_token();
  EXPECT_TRUE(token.stop_possible());
  EXPECT_FALSE(token.stop_requested());
  scope.cancel();
  EXPECT_TRUE(token.stop_requested());
}

TEST(StopToken, OfADoneContextIsAskedAlready) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  EXPECT_TRUE(scope.ctx().stop_token().stop_requested());
}

TEST(StopToken, OfADescendantFollowsTheAncestor) {
  const cancel_scope scope = with_cancel(context::background());
  const cancel_scope child = with_cancel(scope.ctx());
  const std::stop_token token = child.ctx().stop_token();
  scope.cancel();
  EXPECT_TRUE(token.stop_requested());
}

TEST(StopToken, IsAskedWhenTheDeadlinePasses) {
  const cancel_scope scope = with_timeout(context::background(), 2ms);
  const std::stop_token token = scope.ctx().stop_token();
  while (!token.stop_requested()) std::this_thread::yield();
  EXPECT_EQ(scope.ctx().err(), errc::deadline_exceeded);
}

TEST(StopToken, IsTheSameAtEveryCall) {
  const cancel_scope scope = with_cancel(context::background());
  EXPECT_EQ(scope.ctx().stop_token(), scope.ctx().stop_token());
}

TEST(StopToken, CallbacksRunOnceAndMayUseTheContext) {
  const cancel_scope scope = with_cancel(context::background());
  const cancel_scope child = with_cancel(scope.ctx());
  int calls = 0;
  const std::stop_callback callback(scope.ctx().stop_token(), [&] {
    ++calls;
    scope.cancel();  // comes too late, and returns
    EXPECT_TRUE(scope.ctx().done());
    EXPECT_TRUE(child.ctx().done());
    EXPECT_TRUE(with_cancel(scope.ctx()).get<0>().done());
  });
  scope.cancel();
  scope.cancel();
  EXPECT_EQ(calls, 1);
}

TEST(StopToken, StopsAJthread) {
  const cancel_scope scope = with_cancel(context::background());
  std::atomic<bool> stopped = false;
  std::jthread thread([&, token = scope.ctx().stop_token()] {
    while (!token.stop_requested()) std::this_thread::yield();
    stopped = true;
  });
  scope.cancel();
  thread.join();
  EXPECT_TRUE(stopped);
}

TEST(StopToken, RequestedWhileItIsMadeIsNotMissed) {
  for (int i = 0; i < 500; ++i) {
    const cancel_scope scope = with_cancel(context::background());
    std::thread canceler([&] { scope.cancel(); });
    const std::stop_token token = scope.ctx().stop_token();
    canceler.join();
    ASSERT_TRUE(token.stop_requested());
  }
}

TEST(FromStopToken, IsDoneWhenTheSourceStops) {
  std::stop_source source;
  const context ctx = from_stop_token(context::background(), source.get_token());
  EXPECT_FALSE(ctx.done());
  source.request_stop();
  EXPECT_EQ(ctx.err(), errc::canceled);
  EXPECT_EQ(ctx.cause(), errc::canceled);
}

TEST(FromStopToken, IsBornDoneWhenTheSourceHasStopped) {
  std::stop_source source;
  source.request_stop();
  EXPECT_TRUE(from_stop_token(context::background(), source.get_token()).done());
}

TEST(FromStopToken, FollowsItsParent) {
  std::stop_source source;
  const cancel_scope parent = with_cancel(context::background());
  const context ctx = from_stop_token(parent.ctx(), source.get_token());
  parent.cancel(errc::closed);
  EXPECT_EQ(ctx.cause(), errc::closed);
  source.request_stop();
  EXPECT_EQ(ctx.cause(), errc::closed);
}

TEST(FromStopToken, ReachesDescendants) {
  std::stop_source source;
  const cancel_scope child = with_cancel(from_stop_token(context::background(), source.get_token()));
  source.request_stop();
  EXPECT_TRUE(child.ctx().done());
}

TEST(FromStopToken, OfATokenWithoutAStateIsNeverDone) {
  const context ctx = from_stop_token(context::background(), std::stop_token{});
  EXPECT_FALSE(ctx.done());
  EXPECT_EQ(ctx, context::background());
}

TEST(FromStopToken, IsForgottenByTheSourceWithItsLastHandle) {
  std::stop_source source;
  for (int i = 0; i < 1000; ++i) (void)from_stop_token(context::background(), source.get_token());
  EXPECT_TRUE(source.request_stop());
}

TEST(FromStopToken, LastHandleRacesWithTheStop) {
  for (int i = 0; i < 500; ++i) {
    std::stop_source source;
    context ctx = from_stop_token(context::background(), source.get_token());
    std::thread stopper([&] { source.request_stop(); });
    ctx = {};
    stopper.join();
  }
}

TEST(FromStopToken, MakesAJthreadCancelFibers) {
  std::atomic<bool> canceled = false;
  std::jthread thread([&](const std::stop_token& token) {
    runtime rt({.threads = 1});
    rt.run([&] {
      const context ctx = from_stop_token(context::background(), token);
      ctx.wait();
      canceled = ctx.err() == errc::canceled;
    });
  });
  thread.request_stop();
  thread.join();
  EXPECT_TRUE(canceled);
}

}  // namespace
