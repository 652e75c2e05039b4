// retry: how often, how long in between, and what comes back.
#include <spool/resilience/retry.hpp>

#include <support/runtimes.hpp>

#include "manual_clock.hpp"

#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

const retry_options quick{.initial = 1us, .max = 10us};

error named(const std::string& message) { return {make_error_code(errc::closed), message}; }

class Retry : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Retry);

TEST_P(Retry, ReturnsTheFirstSuccess) {
  run([] {
    int calls = 0;
    const result<int> r = retry(context::background(), quick, [&]() -> result<int> {
      if (++calls < 3) return named("not yet");
      return 42;
    });
    EXPECT_EQ(r.value(), 42);
    EXPECT_EQ(calls, 3);
  });
}

TEST_P(Retry, ReturnsTheLastErrorWhenTheAttemptsAreUsedUp) {
  run([] {
    int calls = 0;
    const error e = retry(context::background(), quick, [&] { return named("attempt " + std::to_string(++calls)); });
    EXPECT_EQ(e.message(), "attempt 5");
    EXPECT_EQ(calls, 5);
  });
}

TEST_P(Retry, CancellationEndsTheWaitWithTheContextsError) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    std::atomic<bool> failed = false;
    auto outcome = async([&] {
      return retry(scope.ctx(), {.initial = 1h, .max = 1h}, [&] {
        failed = true;
        return named("down");
      });
    });
    spool_test::wait_until([&] { return failed.load(); });
    scope.cancel();
    EXPECT_EQ(outcome.get(), errc::canceled);
  });
}

TEST_P(Retry, DeadlineEndsTheWaitWithTheContextsError) {
  run([] {
    const cancel_scope scope = with_timeout(context::background(), 2ms);
    const error e = retry(scope.ctx(), {.initial = 1h, .max = 1h}, [] { return named("down"); });
    EXPECT_EQ(e, errc::deadline_exceeded);
  });
}

TEST_P(Retry, ManyShareOneBudget) {
  run([] {
    retry_budget budget({.ratio = 0, .min_per_second = 20, .now = spool_test::manual_clock()});
    std::atomic<int> calls = 0;
    wait_group all;
    for (int i = 0; i < 50; ++i) {
      all.go([&] {
        EXPECT_TRUE(retry(context::background(), {.initial = 0ns, .budget = &budget}, [&]() -> error {
          ++calls;
          return errc::closed;
        }));
      });
    }
    all.wait();
    EXPECT_EQ(calls, 50 + 20);
  });
}

TEST(RetryOnThreads, WaitsAndIsCancelledOnAPlainThread) {
  const cancel_scope scope = with_cancel(context::background());
  std::atomic<int> calls = 0;
  error e;
  std::thread caller([&] {
    e = retry(scope.ctx(), {.initial = 1us, .multiplier = 1e12, .max = 1h, .jitter = 0}, [&]() -> error {
      ++calls;
      return errc::closed;
    });
  });
  while (calls < 2) std::this_thread::yield();
  scope.cancel();
  caller.join();
  EXPECT_EQ(e, errc::canceled);
  EXPECT_EQ(calls, 2);
}

TEST(RetryContext, OneThatIsDoneWinsAndNothingIsCalled) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel(named("the cause"));
  int calls = 0;
  EXPECT_EQ(retry(scope.ctx(), quick, [&]() -> error { return ++calls, errc::closed; }), errc::canceled);
  EXPECT_EQ(calls, 0);
}

TEST(RetryContext, DoneDuringAnAttemptEndsItWithTheContextsError) {
  const cancel_scope scope = with_cancel(context::background());
  int calls = 0;
  const error e = retry(scope.ctx(), quick, [&] {
    ++calls;
    scope.cancel();
    return named("failed meanwhile");
  });
  EXPECT_EQ(e, errc::canceled);
  EXPECT_EQ(calls, 1);
}

TEST(RetryContext, SuccessCountsEvenIfTheContextIsDoneByThen) {
  const cancel_scope scope = with_cancel(context::background());
  const result<int> r = retry(scope.ctx(), quick, [&]() -> result<int> {
    scope.cancel();
    return 1;
  });
  EXPECT_EQ(r.value(), 1);
}

TEST(RetryContext, DoneDuringTheLastAttemptLeavesItsError) {
  const cancel_scope scope = with_cancel(context::background());
  const error e = retry(scope.ctx(), {.max_attempts = 1}, [&] {
    scope.cancel();
    return named("last");
  });
  EXPECT_EQ(e.message(), "last");
}

TEST(RetryContext, ExplainsAnAttemptThatItEnded) {
  const cancel_scope scope = with_cancel(context::background());
  const error e = retry(scope.ctx(), quick, [&] {
    scope.cancel(named("the reason"));
    return error(std::make_error_code(std::errc::operation_canceled), "the socket's own word");
  });
  EXPECT_EQ(e.message(), scope.ctx().err().message());
}

TEST(RetryContext, IsHandedToAFunctionThatTakesOne) {
  const context_key<int> key("n");
  const context ctx = with_value(context::background(), key, 7);
  const result<int> r = retry(ctx, quick, [&](const context& mine) -> result<int> { return *mine.value(key); });
  EXPECT_EQ(r.value(), 7);
}

TEST(RetryType, IsTheFunctionsOwn) {
  const context ctx;
  static_assert(std::is_same_v<decltype(retry(ctx, quick, [] { return error(); })), error>);
  static_assert(std::is_same_v<decltype(retry(ctx, quick, [] { return std::error_code(); })), std::error_code>);
  static_assert(std::is_same_v<decltype(retry(ctx, quick, [] { return result<int>(1); })), result<int>>);
  static_assert(std::is_same_v<decltype(retry(ctx, quick, [] { return result<void>(); })), result<void>>);
  static_assert(std::is_same_v<decltype(retry(ctx, quick, [] { return 1; })), int>);
  static_assert(std::is_same_v<decltype(retry(ctx, quick, [] {})), void>);
  int x = 3;
  int& same = retry(ctx, quick, [&]() -> int& { return x; });
  EXPECT_EQ(&same, &x);
}

TEST(RetryType, AValueOrVoidIsRetriedWhenItThrows) {
  int calls = 0;
  const auto flaky = [&] {
    if (++calls < 4) throw std::runtime_error("not yet");
    return std::make_unique<int>(calls);
  };
  EXPECT_EQ(*retry(context::background(), quick, flaky), 4);
  calls = 0;
  retry(context::background(), quick, [&] { (void)flaky(); });
  EXPECT_EQ(calls, 4);
}

TEST(RetryType, AFunctionThatCannotReturnAnErrorThrowsTheLastOne) {
  int calls = 0;
  const auto broken = [&]() -> int { throw std::out_of_range("attempt " + std::to_string(++calls)); };
  try {
    (void)retry(context::background(), quick, broken);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::out_of_range& e) {
    EXPECT_STREQ(e.what(), "attempt 5");
  }
}

TEST(RetryType, AFunctionThatCannotReturnAnErrorThrowsTheContexts) {
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  try {
    (void)retry(scope.ctx(), quick, [] { return 1; });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::operation_canceled);
  }
}

TEST(RetryType, AnExceptionEndsUpInAnErrorOrResult) {
  const auto broken = []() -> error { throw std::runtime_error("boom"); };
  EXPECT_EQ(retry(context::background(), quick, broken).message(), "boom");
  const auto resultless = []() -> result<std::string> { throw std::runtime_error("boom"); };
  EXPECT_THROW((void)retry(context::background(), quick, resultless).value(), std::runtime_error);
}

TEST(RetryType, AnErrorCodeIsKeptAndTakesTheCodeOfAnException) {
  int calls = 0;
  const std::error_code refused = make_error_code(std::errc::connection_refused);
  EXPECT_EQ(retry(context::background(), quick, [&] { return ++calls, refused; }), refused);
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(retry(context::background(), quick, [&]() -> std::error_code { throw std::system_error(refused); }),
            refused);
  EXPECT_EQ(retry(context::background(), quick, [&]() -> std::error_code { throw 1; }),
            make_error_code(errc::exception));
}

TEST(RetryType, ResultsOfBoolAndVoidKeepTheirErrors) {
  EXPECT_EQ(retry(context::background(), quick, []() -> result<bool> { return errc::full; }).error(), errc::full);
  EXPECT_TRUE(retry(context::background(), quick, []() -> result<bool> { return true; }).value());
  EXPECT_EQ(retry(context::background(), quick, []() -> result<void> { return error(errc::full); }).error(),
            errc::full);
  EXPECT_TRUE(retry(context::background(), quick, []() -> result<void> { return {}; }).has_value());
}

TEST(RetryType, NothingIsRequiredOfTheFunctionButToBeCalled) {
  struct only_callable {
    only_callable() = default;
    only_callable(const only_callable&) = delete;
    error operator()() { return ++calls < 3 ? error(errc::closed) : error(); }
    int calls = 0;
  } f;
  EXPECT_FALSE(retry(context::background(), quick, f));
  EXPECT_EQ(f.calls, 3);
  EXPECT_TRUE(retry(context::background(), [] { return true; })) << "with the default options";
}

TEST(RetryIf, DecidesWhichErrorsAreTriedAgain) {
  std::vector<error> asked;
  int calls = 0;
  const error e = retry(context::background(),
                        {.initial = 1us,
                         .retry_if =
                             [&](const error& failure) {
                               asked.push_back(failure);
                               return failure == errc::full;
                             }},
                        [&]() -> error { return ++calls < 3 ? errc::full : errc::closed; });
  EXPECT_EQ(e, errc::closed);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(asked.size(), 3U);
}

TEST(RetryIf, ByDefaultNeitherCancellationNorAnOpenCircuitIsTriedAgain) {
  for (const errc code : {errc::canceled, errc::circuit_open}) {
    int calls = 0;
    EXPECT_EQ(retry(context::background(), quick, [&]() -> error { return ++calls, code; }), code);
    EXPECT_EQ(calls, 1);
  }
  EXPECT_TRUE(is_transient(errc::deadline_exceeded));
  EXPECT_TRUE(is_transient(errc::rate_limited));
  EXPECT_TRUE(is_transient(std::make_exception_ptr(std::runtime_error("x"))));
  EXPECT_FALSE(is_transient(make_error_code(std::errc::operation_canceled)));
}

TEST(RetryIf, CanAskForAnOpenCircuitToBeTriedAgain) {
  int calls = 0;
  const auto always = [](const error&) { return true; };
  EXPECT_TRUE(retry(context::background(), {.max_attempts = 3, .initial = 0ns, .retry_if = always},
                    [&]() -> error { return ++calls, errc::circuit_open; }));
  EXPECT_EQ(calls, 3);
}

TEST(RetryDelay, GrowsByTheMultiplierUpToTheBound) {
  std::vector<nanoseconds> delays;
  std::vector<int> attempts;
  retry_options options{.max_attempts = 6, .initial = 10us, .multiplier = 3, .max = 100us, .jitter = 0};
  options.on_retry = [&](int attempt, const error& failure, nanoseconds delay) {
    EXPECT_EQ(failure, errc::closed);
    attempts.push_back(attempt);
    delays.push_back(delay);
  };
  EXPECT_TRUE(retry(context::background(), options, []() -> error { return errc::closed; }));
  EXPECT_EQ(delays, (std::vector<nanoseconds>{10us, 30us, 90us, 100us, 100us}));
  EXPECT_EQ(attempts, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(RetryDelay, IsSpreadByTheJitter) {
  nanoseconds shortest = nanoseconds::max();
  nanoseconds longest{};
  retry_options options{.max_attempts = 400, .initial = 10us, .multiplier = 1, .jitter = 0.5};
  options.on_retry = [&](int, const error&, nanoseconds delay) {
    EXPECT_GE(delay, 5us);
    EXPECT_LE(delay, 15us);
    shortest = std::min(shortest, delay);
    longest = std::max(longest, delay);
  };
  EXPECT_TRUE(retry(context::background(), options, []() -> error { return errc::closed; }));
  EXPECT_LT(shortest, 6us);
  EXPECT_GT(longest, 14us);
}

TEST(RetryDelay, IsSleptAtLeast) {
  nanoseconds planned{};
  const retry_options options{
      .max_attempts = 3, .initial = 2ms, .on_retry = [&](int, const error&, nanoseconds delay) { planned += delay; }};
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(retry(context::background(), options, []() -> error { return errc::closed; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, planned);
  EXPECT_GE(planned, 3ms);
}

TEST(RetryBudgetUse, WithoutTokensTheFirstErrorIsFinal) {
  retry_budget budget({.ratio = 0.5, .min_per_second = 0, .now = spool_test::manual_clock()});
  const retry_options options{.initial = 0ns, .budget = &budget};
  int calls = 0;
  const auto failing = [&] { return named("attempt " + std::to_string(++calls)); };
  EXPECT_EQ(retry(context::background(), options, failing).message(), "attempt 1");
  calls = 0;
  EXPECT_EQ(retry(context::background(), options, failing).message(), "attempt 2")
      << "two calls have paid for one retry";
  EXPECT_LT(budget.available(), 1);
}

TEST(RetryBudgetUse, SuccessesPayAndErrorsThatAreNotRetriedCostNothing) {
  retry_budget budget({.ratio = 0.5, .min_per_second = 0, .now = spool_test::manual_clock()});
  const retry_options options{.initial = 0ns, .budget = &budget};
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(retry(context::background(), options, [] { return error(); }));
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(retry(context::background(), options, []() -> error { return errc::circuit_open; }));
  }
  EXPECT_DOUBLE_EQ(budget.available(), 4);
}

TEST(RetryBudgetUse, ACallThatIsNotMadePaysNothingIn) {
  retry_budget budget({.ratio = 0.5, .min_per_second = 0, .now = spool_test::manual_clock()});
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  EXPECT_EQ(retry(scope.ctx(), {.budget = &budget}, [] { return error(); }), errc::canceled);
  EXPECT_DOUBLE_EQ(budget.available(), 0);
}

TEST(RetryBudgetUse, ARetryThatDoesNotTakePlaceIsGivenBack) {
  retry_budget budget({.ratio = 0, .min_per_second = 2, .now = spool_test::manual_clock()});
  const cancel_scope scope = with_cancel(context::background());
  retry_options options{.initial = 1h, .max = 1h, .budget = &budget};
  options.on_retry = [&](int, const error&, nanoseconds) {
    EXPECT_DOUBLE_EQ(budget.available(), 1);
    scope.cancel();
  };
  EXPECT_EQ(retry(scope.ctx(), options, [] { return named("down"); }), errc::canceled);
  EXPECT_DOUBLE_EQ(budget.available(), 2);
  options.on_retry = [](int, const error&, nanoseconds) { throw std::runtime_error("no log"); };
  EXPECT_THROW((void)retry(context::background(), options, [] { return named("down"); }), std::runtime_error);
  EXPECT_DOUBLE_EQ(budget.available(), 2);
}

// Like std::expected, which C++20 does not have.
struct expected_like {
  bool has_value() const;
  std::errc error() const;
};
using detail::CallResult;
static_assert(CallResult<int> && CallResult<int&> && CallResult<void> && CallResult<std::optional<int>>);
static_assert(CallResult<error> && CallResult<std::error_code> && CallResult<result<int>> && CallResult<result<void>>);
static_assert(!CallResult<errc> && !CallResult<channel_status> && !CallResult<std::exception_ptr>);
static_assert(!CallResult<boost::system::error_code> && !CallResult<boost::system::result<int>>);
static_assert(!CallResult<expected_like> && !CallResult<const expected_like&>);
static_assert(!CallResult<const error&> && !CallResult<result<int>&>);

TEST(RetryMisuse, BadOptionsThrow) {
  const context ctx;
  int calls = 0;
  const auto f = [&] { return ++calls, error(); };
  EXPECT_THROW((void)retry(ctx, {.max_attempts = 0}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.max_attempts = -1}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.initial = -1ms}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.max = -1ms}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.multiplier = 0.5}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.multiplier = std::numeric_limits<double>::quiet_NaN()}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.multiplier = std::numeric_limits<double>::infinity()}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.jitter = -0.1}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.jitter = 1.1}, f), std::invalid_argument);
  EXPECT_THROW((void)retry(ctx, {.jitter = std::numeric_limits<double>::quiet_NaN()}, f), std::invalid_argument);
  EXPECT_EQ(calls, 0);
}

TEST(RetryMisuse, AnExceptionOfThePredicatePassesThrough) {
  const auto confused = [](const error&) -> bool { throw std::domain_error("confused"); };
  EXPECT_THROW((void)retry(context::background(), {.retry_if = confused}, []() -> error { return errc::closed; }),
               std::domain_error);
}

}  // namespace
