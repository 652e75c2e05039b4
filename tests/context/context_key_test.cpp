// Values in contexts, and without_cancel.
#include <support/runtimes.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <stop_token>
#include <string>

namespace {

using namespace spool;
using namespace std::chrono_literals;

const context_key<std::string> user_key("user");
const context_key<int> number_key("number");

TEST(ContextValue, IsFoundByItsKey) {
  const context ctx = with_value(context::background(), user_key, "ada");
  ASSERT_NE(ctx.value(user_key), nullptr);
  EXPECT_EQ(*ctx.value(user_key), "ada");
}

TEST(ContextValue, OfAnUnknownKeyIsNull) {
  EXPECT_EQ(context::background().value(user_key), nullptr);
  EXPECT_EQ(with_value(context::background(), user_key, "ada").value(number_key), nullptr);
}

TEST(ContextValue, NearestWins) {
  const context outer = with_value(context::background(), number_key, 1);
  const context inner = with_value(outer, number_key, 2);
  EXPECT_EQ(*inner.value(number_key), 2);
  EXPECT_EQ(*outer.value(number_key), 1);
}

TEST(ContextValue, KeysDifferByIdentityNotByName) {
  const context_key<int> one("same name");
  const context_key<int> other("same name");
  const context ctx = with_value(context::background(), one, 1);
  EXPECT_EQ(ctx.value(other), nullptr);
  EXPECT_EQ(*with_value(ctx, other, 2).value(one), 1);
}

TEST(ContextValue, AKeyInTheStorageOfADeadOneIsAnotherKey) {
  alignas(context_key<int>) std::array<std::byte, sizeof(context_key<int>)> storage;
  auto* key = ::new (storage.data()) context_key<int>("first");
  const context ctx = with_value(context::background(), *key, 1);
  std::destroy_at(key);
  key = ::new (storage.data()) context_key<int>("second");
  EXPECT_EQ(ctx.value(*key), nullptr);
  std::destroy_at(key);
}

TEST(ContextValue, SeveralKeysStandSideBySide) {
  const context ctx = with_value(with_value(context::background(), user_key, "ada"), number_key, 7);
  EXPECT_EQ(*ctx.value(user_key), "ada");
  EXPECT_EQ(*ctx.value(number_key), 7);
}

TEST(ContextValue, IsSeenByEveryDescendant) {
  const context top = with_value(context::background(), number_key, 7);
  const cancel_scope cancelable = with_cancel(top);
  const cancel_scope timed = with_timeout(cancelable.ctx(), 1h);
  std::stop_source source;
  const context stoppable = from_stop_token(timed.ctx(), source.get_token());
  EXPECT_EQ(*stoppable.value(number_key), 7);
  cancelable.cancel();
  EXPECT_EQ(*stoppable.value(number_key), 7);
}

TEST(ContextValue, MayBeMoveOnly) {
  const context_key<std::unique_ptr<int>> key("pointer");
  const context ctx = with_value(context::background(), key, std::make_unique<int>(3));
  EXPECT_EQ(**ctx.value(key), 3);
}

TEST(ContextValue, LivesAsLongAsAContextThatCarriesIt) {
  const context_key<std::shared_ptr<int>> key("shared");
  const auto shared = std::make_shared<int>(1);
  {
    context below;
    {
      const context ctx = with_value(context::background(), key, shared);
      below = with_value(ctx, number_key, 1);
    }
    EXPECT_EQ(shared.use_count(), 2);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(ContextValue, ContextHasItsParentsCancellation) {
  const cancel_scope scope = with_cancel(context::background());
  const context ctx = with_value(scope.ctx(), number_key, 1);
  EXPECT_FALSE(ctx.done());
  scope.cancel(errc::closed);
  ctx.wait();
  EXPECT_TRUE(ctx.done());
  EXPECT_EQ(ctx.err(), errc::canceled);
  EXPECT_EQ(ctx.cause(), errc::closed);
}

TEST(ContextValue, ChildOfAValueContextFollowsTheAncestor) {
  const cancel_scope scope = with_cancel(context::background());
  const cancel_scope child = with_cancel(with_value(scope.ctx(), number_key, 1));
  scope.cancel();
  EXPECT_TRUE(child.ctx().done());
}

TEST(ContextKey, TellsItsName) { EXPECT_EQ(user_key.name(), "user"); }

TEST(WithoutCancel, KeepsTheValuesOnly) {
  const cancel_scope scope = with_timeout(with_value(context::background(), number_key, 7), 1h);
  const context detached = without_cancel(scope.ctx());
  scope.cancel();
  EXPECT_FALSE(detached.done());
  EXPECT_FALSE(detached.err());
  EXPECT_FALSE(detached.cause());
  EXPECT_EQ(detached.deadline(), std::nullopt);
  EXPECT_EQ(*detached.value(number_key), 7);
}

TEST(WithoutCancel, OfADoneContextIsNotDone) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  EXPECT_FALSE(without_cancel(scope.ctx()).done());
}

TEST(WithoutCancel, CanBeGivenACancellationOfItsOwn) {
  const cancel_scope scope = with_cancel(context::background());
  const cancel_scope own = with_cancel(without_cancel(scope.ctx()));
  scope.cancel();
  EXPECT_FALSE(own.ctx().done());
  own.cancel();
  EXPECT_TRUE(own.ctx().done());
}

class ContextValueOnFibers : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ContextValueOnFibers);

TEST_P(ContextValueOnFibers, TravelsToOtherFibers) {
  run([] {
    std::atomic<int> sum = 0;
    for (int i = 1; i <= 100; ++i) {
      spool::go([&sum, ctx = with_value(context::background(), number_key, i)] {
        this_fiber::yield();
        sum += *ctx.value(number_key);
      });
    }
    spool_test::wait_until([&] { return sum == 5050; });
  });
}

}  // namespace
