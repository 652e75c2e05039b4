// with_cancel and cancel_scope: who is done when, with which error and cause.
#include <support/runtimes.hpp>

#include <atomic>
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <vector>

namespace {

using namespace spool;

error named(const std::string& message) { return {make_error_code(errc::closed), message}; }

TEST(Background, IsNeverDone) {
  const context ctx = context::background();
  EXPECT_FALSE(ctx.done());
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(ctx.cause());
  EXPECT_EQ(ctx.deadline(), std::nullopt);
}

TEST(Background, IsWhatADefaultConstructedContextIs) { EXPECT_EQ(context(), context::background()); }

TEST(CancelScope, CancelMakesItsContextDone) {
  const cancel_scope scope = with_cancel(context::background());
  EXPECT_FALSE(scope.ctx().done());
  EXPECT_FALSE(scope.ctx().err());
  EXPECT_FALSE(scope.ctx().cause());
  scope.cancel();
  EXPECT_TRUE(scope.ctx().done());
  EXPECT_EQ(scope.ctx().err(), errc::canceled);
  EXPECT_EQ(scope.ctx().err(), std::errc::operation_canceled);
}

TEST(CancelScope, CauseIsTheErrorWhenNoneWasGiven) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  EXPECT_EQ(scope.ctx().cause(), errc::canceled);
}

TEST(CancelScope, CauseIsWhatWasGivenAndErrStaysCanceled) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel(named("the disk is full"));
  EXPECT_EQ(scope.ctx().err(), errc::canceled);
  EXPECT_EQ(scope.ctx().cause(), errc::closed);
  EXPECT_EQ(scope.ctx().cause().message(), "the disk is full");
}

TEST(CancelScope, FirstCancellationWins) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel(named("first"));
  scope.cancel(named("second"));
  scope.cancel();
  EXPECT_EQ(scope.ctx().cause().message(), "first");
}

TEST(CancelScope, CancellationWithoutACauseIsNotReplacedByALaterCause) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  scope.cancel(named("too late"));
  EXPECT_EQ(scope.ctx().cause(), errc::canceled);
}

TEST(CancelScope, DestructorCancels) {
  context ctx;
  {
    const cancel_scope scope = with_cancel(context::background());
    ctx = scope.ctx();
    EXPECT_FALSE(ctx.done());
  }
  EXPECT_EQ(ctx.err(), errc::canceled);
}

TEST(CancelScope, UnwindingCancels) {
  context ctx;
  try {
    const cancel_scope scope = with_cancel(context::background());
    ctx = scope.ctx();
    throw 1;
  } catch (int) {
  }
  EXPECT_TRUE(ctx.done());
}

TEST(CancelScope, MovingTheScopeHandsOnTheRightToCancel) {
  std::optional<cancel_scope> outer;
  context ctx;
  {
    cancel_scope inner = with_cancel(context::background());
    ctx = inner.ctx();
    outer.emplace(std::move(inner));
  }
  EXPECT_FALSE(ctx.done());
  EXPECT_EQ(outer->ctx(), ctx);
  outer.reset();
  EXPECT_TRUE(ctx.done());
}

TEST(CancelScope, MoveAssignmentCancelsWhatWasHeld) {
  cancel_scope scope = with_cancel(context::background());
  const context first = scope.ctx();
  scope = with_cancel(context::background());
  EXPECT_TRUE(first.done());
  EXPECT_FALSE(scope.ctx().done());
}

TEST(CancelScope, CancelOfAMovedFromScopeDoesNothing) {
  cancel_scope scope = with_cancel(context::background());
  const cancel_scope other = std::move(scope);
  scope.cancel();
  EXPECT_FALSE(other.ctx().done());
}

TEST(CancelScope, DecomposesIntoContextAndCancel) {
  auto [ctx, cancel] = with_cancel(context::background());
  static_assert(std::same_as<decltype(ctx), context>);
  EXPECT_FALSE(ctx.done());
  cancel();
  EXPECT_EQ(ctx.err(), errc::canceled);
}

TEST(CancelScope, DecomposedCancelTakesACause) {
  const auto [ctx, cancel] = with_cancel(context::background());
  cancel(named("why"));
  EXPECT_EQ(ctx.cause().message(), "why");
}

TEST(CancelScope, DecomposedScopeLivesUntilTheEndOfItsBlock) {
  context kept;
  {
    auto [ctx, cancel] = with_cancel(context::background());
    kept = ctx;
    EXPECT_FALSE(kept.done());
  }
  EXPECT_TRUE(kept.done());
}

TEST(CancelScope, DecomposedNamesCanBeCaptured) {
  auto [ctx, cancel] = with_cancel(context::background());
  const auto stop = [cancel = cancel] { cancel(); };
  const auto stopped = [ctx = ctx] { return ctx.done(); };
  EXPECT_FALSE(stopped());
  stop();
  EXPECT_TRUE(stopped());
}

TEST(CancelScope, CancellerOutlivesItsScope) {
  std::optional<canceller> kept;
  context ctx;
  {
    const cancel_scope scope = with_cancel(context::background());
    ctx = scope.ctx();
    kept = scope.get<1>();
  }
  (*kept)(named("after the end"));
  EXPECT_EQ(ctx.cause(), errc::canceled);
}

template <class Scope>
concept GivesContextOfATemporary = requires(Scope&& scope) {
  std::move(scope).ctx();
};

TEST(CancelScope, IsMoveOnlyAndRefusesTheContextOfATemporary) {
  static_assert(!std::copyable<cancel_scope>);
  static_assert(std::movable<cancel_scope>);
  static_assert(!GivesContextOfATemporary<cancel_scope>);
  static_assert(std::tuple_size_v<cancel_scope> == 2);
  static_assert(std::copyable<canceller>);
  cancel_scope from = with_cancel(context::background());
  const context ctx = from.ctx();
  const cancel_scope to = std::move(from);
  EXPECT_FALSE(ctx.done());
  to.cancel();
  EXPECT_TRUE(ctx.done());
}

TEST(CancelScope, CopiesOfAContextAreTheSameContext) {
  const cancel_scope scope = with_cancel(context::background());
  const context a = scope.ctx();
  const context b = a;
  scope.cancel();
  EXPECT_TRUE(a.done());
  EXPECT_EQ(a, b);
}

TEST(ContextTree, ChildFollowsItsParentWithErrorAndCause) {
  const cancel_scope parent = with_cancel(context::background());
  const cancel_scope child = with_cancel(parent.ctx());
  const cancel_scope grandchild = with_cancel(child.ctx());
  parent.cancel(named("from above"));
  EXPECT_EQ(child.ctx().err(), errc::canceled);
  EXPECT_EQ(child.ctx().cause().message(), "from above");
  EXPECT_EQ(grandchild.ctx().cause().message(), "from above");
}

TEST(ContextTree, CancellingAChildLeavesParentAndSiblingsAlone) {
  const cancel_scope parent = with_cancel(context::background());
  const cancel_scope child = with_cancel(parent.ctx());
  const cancel_scope sibling = with_cancel(parent.ctx());
  child.cancel();
  EXPECT_TRUE(child.ctx().done());
  EXPECT_FALSE(parent.ctx().done());
  EXPECT_FALSE(sibling.ctx().done());
  parent.cancel();
  EXPECT_TRUE(sibling.ctx().done());
}

TEST(ContextTree, AChildKeepsTheCauseItHadBeforeItsParent) {
  const cancel_scope parent = with_cancel(context::background());
  const cancel_scope child = with_cancel(parent.ctx());
  child.cancel(named("mine"));
  parent.cancel(named("parent's"));
  EXPECT_EQ(child.ctx().cause().message(), "mine");
  EXPECT_EQ(parent.ctx().cause().message(), "parent's");
}

TEST(ContextTree, ChildOfADoneParentIsBornDone) {
  const cancel_scope parent = with_cancel(context::background());
  parent.cancel(named("before"));
  const cancel_scope child = with_cancel(parent.ctx());
  EXPECT_EQ(child.ctx().err(), errc::canceled);
  EXPECT_EQ(child.ctx().cause().message(), "before");
}

TEST(ContextTree, ChildKeepsItsParentAlive) {
  std::optional<cancel_scope> parent = with_cancel(context::background());
  const canceller cancel_parent = parent->get<1>();
  const cancel_scope child = with_cancel(parent->ctx());
  parent.reset();  // cancels, and drops a handle
  EXPECT_TRUE(child.ctx().done());
  cancel_parent();
}

TEST(ContextTree, CauseMayHoldAnException) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel(std::make_exception_ptr(std::runtime_error("boom")));
  EXPECT_EQ(scope.ctx().cause().message(), "boom");
  EXPECT_THROW(scope.ctx().cause().rethrow(), std::runtime_error);
}

TEST(ContextWait, ReturnsAtOnceWhenDone) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  scope.ctx().wait();
}

TEST(ContextWait, PlainThreadsWaitWithoutARuntime) {
  const cancel_scope scope = with_cancel(context::background());
  const cancel_scope child = with_cancel(scope.ctx());
  std::atomic<int> seen = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, ctx = i % 2 == 0 ? scope.ctx() : child.ctx()] {
      ctx.wait();
      if (ctx.done()) ++seen;
    });
  }
  EXPECT_EQ(seen, 0);
  scope.cancel();
  for (auto& t : threads) t.join();
  EXPECT_EQ(seen, 4);
}

class ContextOnFibers : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ContextOnFibers);

TEST_P(ContextOnFibers, CancelWakesEveryFiberThatWaits) {
  const int seen = run([] {
    const cancel_scope scope = with_cancel(context::background());
    const cancel_scope child = with_cancel(scope.ctx());
    std::atomic<int> waiting = 0;
    std::atomic<int> woken = 0;
    for (int i = 0; i < 100; ++i) {
      spool::go([&, ctx = i % 2 == 0 ? scope.ctx() : child.ctx()] {
        ++waiting;
        ctx.wait();
        if (ctx.err() == errc::canceled) ++woken;
      });
    }
    spool_test::wait_until([&] { return waiting == 100; });
    scope.cancel();
    spool_test::wait_until([&] { return woken == 100; });
    return woken.load();
  });
  EXPECT_EQ(seen, 100);
}

TEST_P(ContextOnFibers, AFiberWokenByAParentSeesTheChildrenDone) {
  run([] {
    for (int round = 0; round < 100; ++round) {
      const cancel_scope parent = with_cancel(context::background());
      std::vector<cancel_scope> children;
      for (int i = 0; i < 20; ++i) children.push_back(with_cancel(parent.ctx()));
      std::atomic<int> undone = -1;
      spool::go([&] {
        parent.ctx().wait();
        int count = 0;
        for (const auto& child : children) count += child.ctx().done() ? 0 : 1;
        undone = count;
      });
      spool::this_fiber::yield();
      parent.cancel();
      spool_test::wait_until([&] { return undone >= 0; });
      EXPECT_EQ(undone, 0);
    }
  });
}

TEST_P(ContextOnFibers, APlainThreadCancelsWhatFibersWaitFor) {
  const cancel_scope scope = with_cancel(context::background());
  std::atomic<bool> waiting = false;
  std::thread outside([&] {
    while (!waiting) std::this_thread::yield();
    scope.cancel(named("outside"));
  });
  const error cause = run([&] {
    waiting = true;
    scope.ctx().wait();
    return scope.ctx().cause();
  });
  outside.join();
  EXPECT_EQ(cause.message(), "outside");
}

}  // namespace
