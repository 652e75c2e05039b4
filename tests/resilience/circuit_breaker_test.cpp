// circuit_breaker, rule by rule, on a clock that the tests move.
#include <spool/resilience/circuit_breaker.hpp>

#include <support/runtimes.hpp>

#include "manual_clock.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool_test::manual_clock;
using attempt = circuit_breaker::attempt;

error fine() { return {}; }
error broken() { return errc::closed; }

void fail(circuit_breaker& b, int times) {
  for (int i = 0; i < times; ++i) EXPECT_EQ(b.call(broken), errc::closed);
}

class CircuitBreaker : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(CircuitBreaker);

TEST(CircuitBreakerClosed, PassesOnWhatTheFunctionReturns) {
  circuit_breaker b;
  EXPECT_EQ(b.state(), circuit_state::closed);
  EXPECT_EQ(b.call([] { return 42; }).value(), 42);
  EXPECT_EQ(b.call([]() -> result<int> { return 7; }).value(), 7);
  EXPECT_EQ(b.call([]() -> result<int> { return errc::full; }).error(), errc::full);
  EXPECT_FALSE(b.call([] {}));
  EXPECT_EQ(b.call([] { return make_error_code(std::errc::io_error); }), std::errc::io_error);
  EXPECT_EQ(*b.call([] { return std::make_unique<int>(3); }).value(), 3);
}

TEST(CircuitBreakerClosed, ResultTypes) {
  circuit_breaker b;
  static_assert(std::is_same_v<decltype(b.call([] { return 1; })), result<int>>);
  static_assert(std::is_same_v<decltype(b.call([] { return result<int>(1); })), result<int>>);
  static_assert(std::is_same_v<decltype(b.call([] { return true; })), result<bool>>);
  static_assert(std::is_same_v<decltype(b.call([] {})), error>);
  static_assert(std::is_same_v<decltype(b.call([] { return error(); })), error>);
  static_assert(std::is_same_v<decltype(b.call([] { return std::error_code(); })), error>);
  EXPECT_FALSE(b.call([] { return false; }).value());
}

TEST(CircuitBreakerClosed, AnExceptionIsAnErrorAndAFailure) {
  circuit_breaker b({.failure_threshold = 2});
  EXPECT_EQ(b.call([]() -> int { throw std::runtime_error("boom"); }).error().message(), "boom");
  EXPECT_EQ(b.call([] { throw std::runtime_error("boom"); }).message(), "boom");
  EXPECT_EQ(b.state(), circuit_state::open);
}

TEST(CircuitBreakerClosed, OpensAtSoManyFailuresInARow) {
  circuit_breaker b({.failure_threshold = 3});
  fail(b, 2);
  EXPECT_FALSE(b.call(fine));
  fail(b, 2);
  EXPECT_EQ(b.state(), circuit_state::closed) << "a success had reset the count";
  fail(b, 1);
  EXPECT_EQ(b.state(), circuit_state::open);
}

TEST(CircuitBreakerOpen, RefusesWithoutCalling) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .now = clock});
  fail(b, 1);
  clock.advance(10s - 1ns);
  bool called = false;
  EXPECT_EQ(b.call([&] { called = true; }), errc::circuit_open);
  EXPECT_EQ(b.call([&] { return called = true; }).error(), errc::circuit_open);
  EXPECT_FALSE(called);
  EXPECT_EQ(b.state(), circuit_state::open);
}

TEST(CircuitBreakerOpen, BecomesHalfOpenWithTime) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .now = clock});
  fail(b, 1);
  clock.advance(10s);
  EXPECT_EQ(b.state(), circuit_state::half_open);
}

TEST(CircuitBreakerOpen, ForALongerTimeThanTheClockHolds) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = std::chrono::nanoseconds::max(), .now = clock});
  fail(b, 1);
  clock.advance(std::chrono::hours(24 * 365 * 100));
  EXPECT_EQ(b.call(fine), errc::circuit_open);
}

TEST(CircuitBreakerOpen, AnswersOfCallsThatBeganBeforeAreIgnored) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .now = clock});
  attempt slow_success(b);
  attempt slow_failure(b);
  fail(b, 1);
  slow_success.finish({});
  EXPECT_EQ(b.state(), circuit_state::open) << "a late success does not close";
  clock.advance(9s);
  slow_failure.finish(errc::closed);
  clock.advance(1s);
  EXPECT_EQ(b.state(), circuit_state::half_open) << "a late failure does not prolong";
}

TEST(CircuitBreakerHalfOpen, ASuccessfulProbeCloses) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 2, .open_for = 10s, .now = clock});
  fail(b, 2);
  clock.advance(10s);
  EXPECT_EQ(b.call([&] { return b.state(); }).value(), circuit_state::half_open);
  EXPECT_EQ(b.state(), circuit_state::closed);
  fail(b, 1);
  EXPECT_EQ(b.state(), circuit_state::closed) << "the count began anew";
}

TEST(CircuitBreakerHalfOpen, AFailingProbeOpensForTheWholeTimeAgain) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 5, .open_for = 10s, .now = clock});
  fail(b, 5);
  clock.advance(15s);
  fail(b, 1);
  clock.advance(9s);
  EXPECT_EQ(b.call(fine), errc::circuit_open);
  clock.advance(1s);
  EXPECT_FALSE(b.call(fine));
}

TEST(CircuitBreakerHalfOpen, LetsNoMoreProbesPassThanMustSucceed) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .half_open_probes = 2, .now = clock});
  fail(b, 1);
  clock.advance(10s);
  attempt first(b);
  attempt second(b);
  EXPECT_TRUE(first && second);
  EXPECT_EQ(b.call(fine), errc::circuit_open);
  first.finish({});
  EXPECT_EQ(b.state(), circuit_state::half_open);
  EXPECT_EQ(b.call(fine), errc::circuit_open) << "one has succeeded and one is under way: nothing to find out";
  second.finish({});
  EXPECT_EQ(b.state(), circuit_state::closed);
}

TEST(CircuitBreakerHalfOpen, OneFailureOutweighsEarlierSuccesses) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .half_open_probes = 3, .now = clock});
  fail(b, 1);
  clock.advance(10s);
  EXPECT_FALSE(b.call(fine));
  EXPECT_FALSE(b.call(fine));
  attempt late(b);
  fail(b, 0);
  late.finish(errc::closed);
  EXPECT_EQ(b.state(), circuit_state::open);
}

TEST(CircuitBreakerHalfOpen, AProbesAnswerAfterAnotherFailedIsIgnored) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .half_open_probes = 2, .now = clock});
  fail(b, 1);
  clock.advance(10s);
  attempt good(b);
  attempt bad(b);
  bad.finish(errc::closed);
  clock.advance(10s);
  attempt next(b);
  good.finish({});
  next.finish({});
  EXPECT_EQ(b.state(), circuit_state::half_open) << "of two probes needed only one belongs to this round";
}

TEST(CircuitBreakerHalfOpen, AHangingProbeTimesOutAsAFailure) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .probe_timeout = 3s, .now = clock});
  fail(b, 1);
  clock.advance(10s);
  attempt hanging(b);
  clock.advance(3s - 1ns);
  EXPECT_EQ(b.state(), circuit_state::half_open);
  clock.advance(1ns);
  EXPECT_EQ(b.state(), circuit_state::open);
  clock.advance(9s);
  EXPECT_EQ(b.call(fine), errc::circuit_open);
  clock.advance(1s);
  EXPECT_FALSE(b.call(fine)) << "open_for after the moment of the timeout";
  EXPECT_EQ(b.state(), circuit_state::closed);
  hanging.finish(errc::closed);
  EXPECT_EQ(b.state(), circuit_state::closed);
}

TEST(CircuitBreakerHalfOpen, WithoutATimeoutOfItsOwnAProbeMayTakeAsLongAsOpenFor) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .now = clock});
  fail(b, 1);
  clock.advance(10s);
  attempt hanging(b);
  clock.advance(20s);
  attempt next(b);
  EXPECT_TRUE(next) << "timed out after ten seconds, and open for ten";
  hanging.finish({});
  EXPECT_EQ(b.state(), circuit_state::half_open) << "the answer came too late to count";
  next.finish({});
  EXPECT_EQ(b.state(), circuit_state::closed);
}

TEST(CircuitBreakerHalfOpen, AnAnswerAfterTheTimeoutIsLateEvenIfNobodyLooked) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .probe_timeout = 3s, .now = clock});
  fail(b, 1);
  clock.advance(10s);
  attempt slow(b);
  clock.advance(3s);
  slow.finish({});
  EXPECT_EQ(b.state(), circuit_state::open);
}

TEST(CircuitBreakerHalfOpen, AProbeThatIsGivenUpMakesRoom) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .now = clock});
  fail(b, 1);
  clock.advance(10s);
  { const attempt given_up(b); }
  EXPECT_EQ(b.call([]() -> error { return errc::canceled; }), errc::canceled) << "cancelled: says nothing either way";
  EXPECT_EQ(b.state(), circuit_state::half_open);
  EXPECT_FALSE(b.call(fine));
  EXPECT_EQ(b.state(), circuit_state::closed);
}

TEST(CircuitBreakerFailure, CancellationNeitherCountsNorResets) {
  circuit_breaker b({.failure_threshold = 2});
  fail(b, 1);
  EXPECT_TRUE(b.call([]() -> error { return errc::canceled; }));
  EXPECT_EQ(b.state(), circuit_state::closed);
  fail(b, 1);
  EXPECT_EQ(b.state(), circuit_state::open);
}

TEST(CircuitBreakerFailure, IsWhatTheOptionSays) {
  circuit_breaker b({.failure_threshold = 2, .is_failure = [](const error& e) { return e == errc::closed; }});
  fail(b, 1);
  EXPECT_EQ(b.call([]() -> error { return errc::empty; }), errc::empty);
  fail(b, 1);
  EXPECT_EQ(b.state(), circuit_state::closed) << "an error that is no failure is an answer, and resets the count";
  fail(b, 1);
  EXPECT_EQ(b.state(), circuit_state::open);
}

TEST(CircuitBreakerFailure, APredicateThatThrowsGivesTheProbesPlaceBack) {
  manual_clock clock;
  bool confused = false;
  circuit_breaker b({.failure_threshold = 1,
                     .open_for = 10s,
                     .is_failure = [&](const error&) { return confused ? throw std::domain_error("confused") : true; },
                     .now = clock});
  fail(b, 1);
  clock.advance(10s);
  confused = true;
  EXPECT_THROW((void)b.call(broken), std::domain_error);
  EXPECT_FALSE(b.call(fine));
  EXPECT_EQ(b.state(), circuit_state::closed);
}

TEST(CircuitBreakerContext, OneThatIsDoneWinsAndCountsAsNothing) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .now = clock});
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  bool called = false;
  EXPECT_EQ(b.call(scope.ctx(), [&] { called = true; }), errc::canceled);
  fail(b, 1);
  EXPECT_EQ(b.call(scope.ctx(), [&] { return called = true; }).error(), errc::canceled);
  EXPECT_FALSE(called);
}

TEST(CircuitBreakerContext, IsHandedToAFunctionThatTakesOne) {
  const context_key<int> key("n");
  circuit_breaker b;
  const context ctx = with_value(context::background(), key, 7);
  EXPECT_EQ(b.call(ctx, [&](const context& mine) { return *mine.value(key); }).value(), 7);
  EXPECT_FALSE(b.call(ctx, fine));
}

TEST(CircuitBreakerObserver, HearsOfEveryChangeInOrder) {
  using enum circuit_state;
  manual_clock clock;
  std::vector<std::pair<circuit_state, circuit_state>> seen;
  circuit_breaker* self = nullptr;
  circuit_breaker b({.failure_threshold = 1,
                     .open_for = 10s,
                     .probe_timeout = 1s,
                     .on_state_change =
                         [&](circuit_state from, circuit_state to) {
                           seen.emplace_back(from, to);
                           (void)self->state();  // no lock is held
                         },
                     .now = clock});
  self = &b;
  fail(b, 1);
  clock.advance(10s);
  const attempt hanging(b);
  clock.advance(11s);
  EXPECT_FALSE(b.call(fine));
  EXPECT_EQ(seen, (std::vector<std::pair<circuit_state, circuit_state>>{
                      {closed, open}, {open, half_open}, {half_open, open}, {open, half_open}, {half_open, closed}}));
}

TEST(CircuitBreakerClock, NeverRunsBackwards) {
  manual_clock clock;
  circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .now = clock});
  clock.advance(1h);
  fail(b, 1);
  clock.advance(-1h);
  EXPECT_EQ(b.call(fine), errc::circuit_open);
  clock.advance(1h + 10s);
  EXPECT_FALSE(b.call(fine));
}

TEST_P(CircuitBreaker, AFiberThatHangsInAProbeDoesNotKeepTheCircuit) {
  run([] {
    manual_clock clock;
    circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .probe_timeout = 1s, .now = clock});
    fail(b, 1);
    clock.advance(10s);
    channel<int> never;
    std::atomic<bool> probing = false;
    auto hanging = async([&] {
      return b.call([&] {
        probing = true;
        return never.recv().has_value();
      });
    });
    spool_test::wait_until([&] { return probing.load(); });
    EXPECT_EQ(b.call(fine), errc::circuit_open);
    clock.advance(11s);
    EXPECT_FALSE(b.call(fine));
    never.close();
    EXPECT_FALSE(hanging.get().value()) << "its own answer still reaches its caller";
    EXPECT_EQ(b.state(), circuit_state::closed);
  });
}

TEST_P(CircuitBreaker, ManyFibersAtOnceLetOneProbePass) {
  run([] {
    manual_clock clock;
    circuit_breaker b({.failure_threshold = 1, .open_for = 10s, .half_open_probes = 1, .now = clock});
    for (int round = 0; round < 20; ++round) {
      fail(b, 1);
      clock.advance(10s);
      std::atomic<int> probes = 0;
      std::atomic<int> refused = 0;
      latch all_asked(50);
      wait_group all;
      for (int i = 0; i < 50; ++i) {
        all.go([&] {
          const attempt mine(b);
          ++(mine ? probes : refused);
          all_asked.count_down();
          all_asked.wait();
        });
      }
      all.wait();
      EXPECT_EQ(probes, 1);
      EXPECT_EQ(refused, 49);
      EXPECT_FALSE(b.call(fine));
    }
  });
}

TEST_P(CircuitBreaker, FibersAndPlainThreadsShareIt) {
  manual_clock clock;
  std::atomic<int> opened = 0;
  circuit_breaker b({.failure_threshold = 3,
                     .open_for = 50ns,
                     .half_open_probes = 2,
                     .on_state_change = [&](circuit_state, circuit_state to) { opened += to == circuit_state::open; },
                     .now = clock});
  const auto work = [&](int salt) {
    for (int i = 0; i < 500; ++i) {
      clock.advance(1ns);
      (void)b.call([&]() -> error { return (i / 7 + salt) % 2 == 0 ? broken() : fine(); });
    }
  };
  std::thread one(work, 0);
  std::thread two(work, 1);
  run([&] {
    wait_group all;
    for (int f = 0; f < 4; ++f) all.go([&, f] { work(f); });
    all.wait();
  });
  one.join();
  two.join();
  EXPECT_GT(opened, 0);
  for (int i = 0; i < 2; ++i) {
    clock.advance(1s);
    (void)b.call(fine);
    (void)b.call(fine);
  }
  EXPECT_EQ(b.state(), circuit_state::closed);
}

TEST(CircuitBreakerMisuse, BadOptionsThrow) {
  EXPECT_THROW(circuit_breaker({.failure_threshold = 0}), std::invalid_argument);
  EXPECT_THROW(circuit_breaker({.half_open_probes = 0}), std::invalid_argument);
  EXPECT_THROW(circuit_breaker({.open_for = 0s}), std::invalid_argument);
  EXPECT_THROW(circuit_breaker({.open_for = -1s}), std::invalid_argument);
  EXPECT_THROW(circuit_breaker({.probe_timeout = 0s}), std::invalid_argument);
}

TEST(CircuitBreakerMisuse, AnAttemptIsFinishedOnceAndOnlyIfItWasAdmitted) {
  circuit_breaker b({.failure_threshold = 1});
  attempt a(b);
  a.finish({});
  EXPECT_FALSE(a);
  EXPECT_THROW(a.finish({}), std::logic_error);
  fail(b, 1);
  attempt refused(b);
  EXPECT_THROW(refused.finish({}), std::logic_error);
}

}  // namespace
