// rate_limiter: a token bucket whose waiters are served in the order in which they came.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/base/error.hpp>
#include <spool/base/intrusive_list.hpp>
#include <spool/context/context.hpp>
#include <spool/resilience/detail/call_outcome.hpp>
#include <spool/runtime/detail/spin_lock.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <type_traits>

namespace spool {

struct rate_limiter_options {
  double per_second = 1000;    ///< tokens that come in; may be a fraction
  std::ptrdiff_t burst = 100;  ///< tokens that may be saved up, and the most that one call may ask for
  /// The clock, for tests: acquire still sleeps in real time. Must not throw. Empty: the steady clock.
  std::function<std::chrono::steady_clock::time_point()> now = {};
};

/// Holds up to `burst` tokens, full at first; per_second come in. In any span of time t at most burst + per_second * t
/// are given out, and over a long time, if asked for, neither fewer. Who must wait reserves a moment, first come, first
/// served, and sleeps until then: no polling, and nobody who comes later goes first. Thread safe. Go: x/time/rate.
/// n < 0 or n > burst: std::invalid_argument.
class rate_limiter {
 public:
  /// A rate that is not above 0 or not finite, or burst < 1: std::invalid_argument.
  explicit rate_limiter(rate_limiter_options options = {});
  rate_limiter(const rate_limiter&) = delete;
  rate_limiter& operator=(const rate_limiter&) = delete;

  /// Takes n tokens if they are there. Never waits. False also while others wait. Go: AllowN.
  bool try_acquire(std::ptrdiff_t n = 1);
  /// Waits for n tokens.
  void acquire(std::ptrdiff_t n = 1);
  /// None, or ctx's error and no token taken. When ctx's deadline comes before the tokens would,
  /// errc::deadline_exceeded at once. A cancelled wait gives its tokens back: to those who come later, for who waits
  /// already keeps the moment that was reserved. Go: WaitN.
  [[nodiscard]] error acquire(const context& ctx, std::ptrdiff_t n = 1);

  /// Calls f if a token is there: what f returned as a result<T>, or as an error where there is no value. An exception
  /// is an error. No token: errc::rate_limited, and f is not called. Never waits by itself.
  template <class F>
  requires detail::CallableAlone<std::remove_reference_t<F>>
  auto try_call(F&& f) -> detail::captured_t<detail::call_result_t<F>> {
    using R = detail::call_result_t<F>;
    static_assert(detail::CallResult<R>,
                  "a function to call returns a value, void, error, std::error_code or spool::result; make one of "
                  "these of any other type that holds an error (errc, boost::system::error_code or result, "
                  "std::expected)");
    if (!try_acquire()) return detail::as_failure<detail::captured_t<R>>(errc::rate_limited);
    return detail::capture_call(context::background(), f);
  }

  /// How long acquire(n) would wait if it were called now; for a Retry-After header. Zero: not at all.
  std::chrono::nanoseconds delay(std::ptrdiff_t n = 1) const;

 private:
  /// The bucket at some moment. After the last reservation that moment lies in the future.
  struct level {
    detail::time_point at;
    double tokens;
  };
  struct reservation : detail::list_hook {
    detail::time_point at;
    double tokens = 0;
  };

  detail::time_point clock_now() const;
  void require_possible(std::ptrdiff_t n) const;
  level taken(level from, detail::time_point at, double n) const noexcept;
  detail::time_point moment_for(double n, detail::time_point now) const noexcept;
  level after_reserved() const noexcept;
  void advance(detail::time_point now) noexcept;
  bool take_now(double n) noexcept;
  error await(const context& ctx, reservation& mine, detail::time_point asked);

  const rate_limiter_options options_;
  const double burst_;

  // Guards all below; nothing is called under it.
  mutable detail::spin_lock mu_;
  detail::time_point latest_;  // of all readings: time does not run backwards here
  level served_;               // after the last moment at which tokens were taken; served_.at <= latest_
  mutable detail::intrusive_list<reservation> reserved_;  // in the order of their moments, all later than latest_
  mutable level last_{};                                  // after the last of reserved_; unless stale, and not if empty
  mutable bool stale_ = false;
};

}  // namespace spool
