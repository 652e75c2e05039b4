// with_timeout and with_deadline.
#include <support/runtimes.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

TEST(Deadline, PassesByItselfOnAPlainThread) {
  const cancel_scope scope = with_timeout(context::background(), 5ms);
  scope.ctx().wait();
  EXPECT_EQ(scope.ctx().err(), errc::deadline_exceeded);
  EXPECT_EQ(scope.ctx().err(), std::errc::timed_out);
  EXPECT_EQ(scope.ctx().cause(), errc::deadline_exceeded);
}

TEST(Deadline, IsTheCauseToo) {
  const cancel_scope scope = with_timeout(context::background(), 0ms);
  EXPECT_EQ(scope.ctx().cause(), scope.ctx().err());
  EXPECT_NE(scope.ctx().err(), error(std::error_code(errc::deadline_exceeded), "another message"));
  EXPECT_NE(scope.ctx().err(), error());
  EXPECT_EQ(scope.ctx().err(), make_error_code(errc::deadline_exceeded));
}

TEST(Deadline, IsNotReachedEarly) {
  const auto begun = clock::now();
  const cancel_scope scope = with_timeout(context::background(), 20ms);
  scope.ctx().wait();
  EXPECT_GE(clock::now() - begun, 20ms);
  EXPECT_GE(clock::now(), *scope.ctx().deadline());
}

TEST(Deadline, ZeroIsDoneAtOnce) {
  const cancel_scope scope = with_timeout(context::background(), 0s);
  EXPECT_TRUE(scope.ctx().done());
  EXPECT_EQ(scope.ctx().err(), errc::deadline_exceeded);
}

TEST(Deadline, NegativeIsDoneAtOnce) {
  EXPECT_EQ(with_timeout(context::background(), -1h).get<0>().err(), errc::deadline_exceeded);
  EXPECT_EQ(with_timeout(context::background(), std::chrono::hours::min()).get<0>().err(), errc::deadline_exceeded);
}

TEST(Deadline, PastTimePointIsDoneAtOnceAndIsReported) {
  const auto past = clock::now() - 1s;
  const cancel_scope scope = with_deadline(context::background(), past);
  EXPECT_EQ(scope.ctx().err(), errc::deadline_exceeded);
  EXPECT_EQ(scope.ctx().deadline(), past);
}

TEST(Deadline, OfADoneParentComesTooLate) {
  const cancel_scope parent = with_cancel(context::background());
  parent.cancel();
  const cancel_scope child = with_timeout(parent.ctx(), 0s);
  EXPECT_EQ(child.ctx().err(), errc::canceled);
}

TEST(Deadline, IsReported) {
  const auto when = clock::now() + 1h;
  const cancel_scope scope = with_deadline(context::background(), when);
  EXPECT_EQ(scope.ctx().deadline(), when);
  EXPECT_FALSE(scope.ctx().done());
}

TEST(Deadline, TimeoutCountsFromNow) {
  const auto before = clock::now();
  const cancel_scope scope = with_timeout(context::background(), 1h);
  EXPECT_GE(*scope.ctx().deadline(), before + 1h);
  EXPECT_LE(*scope.ctx().deadline(), clock::now() + 1h);
}

TEST(Deadline, TheEarlierOfParentAndChildWins) {
  const cancel_scope parent = with_timeout(context::background(), 1h);
  const cancel_scope earlier = with_timeout(parent.ctx(), 1min);
  const cancel_scope later = with_timeout(parent.ctx(), 2h);
  EXPECT_LT(*earlier.ctx().deadline(), *parent.ctx().deadline());
  EXPECT_EQ(later.ctx().deadline(), parent.ctx().deadline());
}

TEST(Deadline, ChildrenInheritIt) {
  const cancel_scope parent = with_timeout(context::background(), 1h);
  const cancel_scope child = with_cancel(parent.ctx());
  const context_key<int> key("n");
  EXPECT_EQ(child.ctx().deadline(), parent.ctx().deadline());
  EXPECT_EQ(with_value(child.ctx(), key, 1).deadline(), parent.ctx().deadline());
  EXPECT_EQ(without_cancel(child.ctx()).deadline(), std::nullopt);
}

TEST(Deadline, OfTheParentEndsAChildThatWantedMore) {
  const cancel_scope parent = with_timeout(context::background(), 5ms);
  const cancel_scope child = with_timeout(parent.ctx(), 1h);
  const cancel_scope grandchild = with_cancel(child.ctx());
  grandchild.ctx().wait();
  EXPECT_EQ(child.ctx().err(), errc::deadline_exceeded);
  EXPECT_EQ(grandchild.ctx().err(), errc::deadline_exceeded);
}

TEST(Deadline, OfAChildLeavesItsParentAlone) {
  const cancel_scope parent = with_timeout(context::background(), 1h);
  const cancel_scope child = with_timeout(parent.ctx(), 1ms);
  child.ctx().wait();
  EXPECT_FALSE(parent.ctx().done());
}

TEST(Deadline, CancelBeforeItWins) {
  const cancel_scope scope = with_timeout(context::background(), 10ms);
  const cancel_scope clock_hand = with_timeout(context::background(), 20ms);
  scope.cancel();
  clock_hand.ctx().wait();
  EXPECT_EQ(scope.ctx().err(), errc::canceled);
}

TEST(Deadline, CancelAfterItComesTooLate) {
  const cancel_scope scope = with_timeout(context::background(), 1ms);
  scope.ctx().wait();
  scope.cancel(errc::closed);
  EXPECT_EQ(scope.ctx().err(), errc::deadline_exceeded);
  EXPECT_EQ(scope.ctx().cause(), errc::deadline_exceeded);
}

TEST(Deadline, OfTheLargestTimePointIsNever) {
  const cancel_scope at_max = with_deadline(context::background(), clock::time_point::max());
  const cancel_scope for_max = with_timeout(context::background(), std::chrono::hours::max());
  EXPECT_EQ(at_max.ctx().deadline(), std::nullopt);
  EXPECT_EQ(for_max.ctx().deadline(), std::nullopt);
  for_max.cancel();
  EXPECT_TRUE(for_max.ctx().done());
}

TEST(Deadline, OfAnotherClockMayBeAnyTimePoint) {
  using wall = std::chrono::system_clock;
  using hours = std::chrono::time_point<wall, std::chrono::hours>;
  const auto has_passed = [](auto when) {
    const cancel_scope scope = with_deadline(context::background(), when);
    return scope.ctx().done();
  };
  EXPECT_TRUE(has_passed(wall::time_point::min()));
  EXPECT_TRUE(has_passed(hours::min()));
  EXPECT_FALSE(has_passed(wall::time_point::max()));
  EXPECT_FALSE(has_passed(hours::max()));
}

TEST(Deadline, MayBeGivenOnAnotherClock) {
  const cancel_scope scope = with_deadline(context::background(), std::chrono::system_clock::now() + 1h);
  EXPECT_GT(*scope.ctx().deadline(), clock::now() + 59min);
  EXPECT_LT(*scope.ctx().deadline(), clock::now() + 61min);
  EXPECT_TRUE(with_deadline(context::background(), std::chrono::system_clock::now() - 1s).get<0>().done());
}

TEST(Deadline, OfAHandleThatOutlivesItsScopeIsOver) {
  context ctx;
  {
    const cancel_scope scope = with_timeout(context::background(), 1h);
    ctx = scope.ctx();
  }
  EXPECT_EQ(ctx.err(), errc::canceled);
}

TEST(Deadline, MovesWithItsScope) {
  cancel_scope scope = with_timeout(context::background(), 5ms);
  const cancel_scope moved = std::move(scope);
  moved.ctx().wait();
  EXPECT_EQ(moved.ctx().err(), errc::deadline_exceeded);
}

class DeadlineOnFibers : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(DeadlineOnFibers);

TEST_P(DeadlineOnFibers, WakesTheFiberThatWaits) {
  EXPECT_EQ(run([] {
              const cancel_scope scope = with_timeout(context::background(), 2ms);
              scope.ctx().wait();
              return scope.ctx().err();
            }),
            errc::deadline_exceeded);
}

TEST_P(DeadlineOnFibers, ManyPassEachInItsOwnTime) {
  run([] {
    std::atomic<int> passed = 0;
    for (int i = 0; i < 200; ++i) {
      spool::go([&, i] {
        const cancel_scope scope = with_timeout(context::background(), std::chrono::microseconds(50 * (i % 40)));
        scope.ctx().wait();
        if (scope.ctx().err() == errc::deadline_exceeded && clock::now() >= *scope.ctx().deadline()) ++passed;
      });
    }
    spool_test::wait_until([&] { return passed == 200; });
  });
}

TEST_P(DeadlineOnFibers, RacesWithCancelAndWithTheLastHandle) {
  run([] {
    std::atomic<int> ended = 0;
    for (int f = 0; f < 8; ++f) {
      spool::go([&, f] {
        for (int i = 0; i < 500; ++i) {
          const auto scope = std::make_unique<cancel_scope>(
              with_timeout(context::background(), std::chrono::microseconds((i * 7 + f) % 60)));
          if (i % 3 == 0) this_fiber::yield();
          if (i % 2 == 0) scope->cancel();
          const error e = scope->ctx().err();
          EXPECT_TRUE(!e || e == errc::canceled || e == errc::deadline_exceeded);
        }
        ++ended;
      });
    }
    spool_test::wait_until([&] { return ended == 8; });
  });
}

TEST_P(DeadlineOnFibers, OutlivesTheRuntimeThatArmedIt) {
  const cancel_scope scope = run([] { return with_timeout(context::background(), 10ms); });
  scope.ctx().wait();
  EXPECT_EQ(scope.ctx().err(), errc::deadline_exceeded);
}

TEST_P(DeadlineOnFibers, IsCancelledFromAnotherThreadThanArmedIt) {
  run([] {
    for (int i = 0; i < 20; ++i) {
      const cancel_scope scope = with_timeout(context::background(), 1h);
      std::thread([&] { scope.cancel(); }).join();
      EXPECT_EQ(scope.ctx().err(), errc::canceled);
    }
  });
}

}  // namespace
