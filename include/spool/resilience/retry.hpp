// retry: calls a function again while it fails, with exponential backoff, jitter and a budget.
#pragma once

#include <spool/base/error.hpp>
#include <spool/context/context.hpp>
#include <spool/resilience/detail/call_outcome.hpp>
#include <spool/resilience/retry_budget.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

namespace spool {

struct retry_options {
  int max_attempts = 5;                                               ///< calls of f in all, the first included
  std::chrono::nanoseconds initial = std::chrono::milliseconds(100);  ///< the delay after the first failure
  double multiplier = 2.0;                                            ///< by which each delay exceeds the one before
  std::chrono::nanoseconds max = std::chrono::seconds(10);            ///< no delay is longer, not even the first
  /// A delay d is drawn uniformly from [d * (1 - jitter), d * (1 + jitter)], cut at max. From 0 (none) to 1.
  double jitter = 0.5;
  /// Whether an error is worth another attempt. Empty: is_transient.
  std::function<bool(const error&)> retry_if = {};
  /// Pays for every attempt but the first. Null: no bound but max_attempts.
  retry_budget* budget = nullptr;
  /// Called before each delay with the number of the attempt that failed (1, 2, …), its error and the delay.
  std::function<void(int attempt, const error& failure, std::chrono::nanoseconds delay)> on_retry = {};
};

/// What retry repeats by default: every error but errc::canceled (whoever cancelled does not want it) and
/// errc::circuit_open (the breaker stays open for longer than a delay, as a rule). A timeout is transient.
bool is_transient(const error& e) noexcept;

namespace detail {

/// The part of retry that does not depend on f.
class retry_loop {
 public:
  retry_loop(const context& ctx, const retry_options& options);
  /// Before the first attempt. False: the context is done, no attempt may begin, and failure() is its error.
  bool begin();
  /// An attempt failed. Waits and says whether to try again; if not, failure() is what ended it.
  bool again(error failed);
  const error& failure() const noexcept { return failure_; }

 private:
  bool refused();
  bool wait();

  const context& ctx_;
  const retry_options& options_;
  double delay_;  // of the next wait, before jitter, in nanoseconds
  int attempts_ = 0;
  error failure_;
};

}  // namespace detail

/// Calls f until it succeeds, max_attempts are used up, retry_if or the budget says no, or ctx is done. Returns what f
/// returned last, or ctx's err() when that ended it; a ctx that is done already wins and f is not called.
///
/// f takes nothing or a `const context&` (it gets ctx) and returns error, std::error_code, a result<T>, a plain value
/// or void; the result is of f's type. An exception is an error too: it ends up in the error or the result, as its code
/// in a std::error_code, and when f's type cannot hold an error the last exception is rethrown (std::system_error for
/// ctx's).
///
///   result<page> p = retry(ctx, {.max_attempts = 3}, [&](const context& ctx) { return fetch(ctx, url); });
///
/// Waits between attempts, on fibers and plain threads. A delay is not cut short to fit ctx's deadline: when that comes
/// first, errc::deadline_exceeded is returned then. Bad options: std::invalid_argument. Exceptions of retry_if and
/// on_retry pass through.
template <class F>
requires detail::CallableUnderPolicy<std::remove_reference_t<F>>
auto retry(const context& ctx, const retry_options& options, F&& f) -> detail::call_result_t<F> {
  using R = detail::call_result_t<F>;
  static_assert(detail::CallResult<R>,
                "a function to retry returns error, std::error_code or spool::result (or a value or void, and throws); "
                "make one of these of any other type that holds an error (errc, boost::system::error_code or result, "
                "std::expected)");
  detail::retry_loop loop(ctx, options);
  if (!loop.begin()) return detail::as_failure<R>(loop.failure());
  for (;;) {
    error failed;
    try {
      if constexpr (detail::HoldsError<R>) {
        R outcome = detail::call_with(ctx, f);
        failed = detail::error_in(outcome);
        if (!failed) return outcome;
      } else {
        return detail::call_with(ctx, f);
      }
    } catch (...) {
      failed = error(std::current_exception());
    }
    if (!loop.again(std::move(failed))) return detail::as_failure<R>(loop.failure());
  }
}

/// With the default options.
template <class F>
requires detail::CallableUnderPolicy<std::remove_reference_t<F>>
auto retry(const context& ctx, F&& f) -> detail::call_result_t<F> {
  return retry(ctx, retry_options{}, std::forward<F>(f));
}

}  // namespace spool
