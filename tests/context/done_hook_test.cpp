// done_hook: what everything that waits with a context stands on.
#include <support/runtimes.hpp>

#include <spool/context/detail/done_hook.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using detail::done_hook;
using detail::waiter;

TEST(DoneHook, ClaimsAtOnceWhenTheContextIsDone) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  waiter self;
  const done_hook hook(scope.ctx(), self, 7);
  EXPECT_TRUE(self.claimed());
  EXPECT_EQ(self.wait({"test", nullptr}), 7U);
}

TEST(DoneHook, EndsAWaitWithTheOutcomeGiven) {
  const cancel_scope scope = with_cancel(context::background());
  waiter self;
  const done_hook hook(scope.ctx(), self);
  std::thread canceler([&] { scope.cancel(); });
  EXPECT_EQ(self.wait({"test", nullptr}), waiter::canceled);
  EXPECT_EQ(scope.ctx().err(), errc::canceled);
  canceler.join();
}

TEST(DoneHook, DoesNotClaimWhatAnotherHasClaimed) {
  const cancel_scope scope = with_cancel(context::background());
  waiter self;
  const done_hook hook(scope.ctx(), self);
  ASSERT_TRUE(self.claim(waiter::done));
  scope.cancel();
  self.wake();
  EXPECT_EQ(self.wait({"test", nullptr}), waiter::done);
}

TEST(DoneHook, NoClaimComesOnceItIsGone) {
  const cancel_scope scope = with_cancel(context::background());
  waiter self;
  { const done_hook hook(scope.ctx(), self); }
  scope.cancel();
  EXPECT_FALSE(self.claimed());
}

TEST(DoneHook, OnTheBackgroundNeverClaims) {
  waiter self;
  const context_key<int> key("n");
  const done_hook on_background(context::background(), self);
  const context valued = with_value(context::background(), key, 1);
  const done_hook on_values(valued, self);
  EXPECT_EQ(self.wait_until(std::chrono::steady_clock::now() + 1ms, {"test", nullptr}), waiter::timed_out);
}

TEST(DoneHook, OfTwoContextsTheFirstDoneClaims) {
  const cancel_scope one = with_cancel(context::background());
  const cancel_scope two = with_cancel(context::background());
  waiter self;
  const done_hook first(one.ctx(), self, 1);
  const done_hook second(two.ctx(), self, 2);
  two.cancel();
  one.cancel();
  EXPECT_EQ(self.wait({"test", nullptr}), 2U);
}

TEST(DoneHook, TwoOnOneContextClaimOnce) {
  const cancel_scope scope = with_cancel(context::background());
  waiter self;
  const done_hook first(scope.ctx(), self, 1);
  const done_hook second(scope.ctx(), self, 2);
  scope.cancel();
  EXPECT_EQ(self.wait({"test", nullptr}), 1U);
}

TEST(DoneHook, WithdrawnWithoutAWaitRacesWithTheCancellation) {
  for (int i = 0; i < 2'000; ++i) {
    const cancel_scope scope = with_cancel(context::background());
    std::thread canceler;
    if (i % 20 == 0) canceler = std::thread([&] { scope.cancel(); });
    for (int k = 0; k < 20; ++k) {
      waiter self;
      const done_hook hook(scope.ctx(), self);
    }
    if (canceler.joinable()) canceler.join();
  }
}

class DoneHookOnFibers : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(DoneHookOnFibers);

TEST_P(DoneHookOnFibers, WaitsEndOnceWhateverRaces) {
  run([] {
    std::atomic<int> ended = 0;
    std::atomic<int> odd = 0;
    for (int f = 0; f < 50; ++f) {
      spool::go([&, f] {
        for (int i = 0; i < 50; ++i) {
          const cancel_scope scope = with_timeout(context::background(), std::chrono::microseconds((f + i) % 50));
          waiter self;
          const done_hook hook(scope.ctx(), self);
          const auto how = self.wait_until(std::chrono::steady_clock::now() + 25us, {"test", nullptr});
          if (how != waiter::canceled && how != waiter::timed_out) ++odd;
        }
        ++ended;
      });
    }
    spool_test::wait_until([&] { return ended == 50; });
    EXPECT_EQ(odd, 0);
  });
}

}  // namespace
