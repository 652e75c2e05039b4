// circuit_breaker: stops calling a dependency that fails, and finds out with a few probes when it is back.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/base/error.hpp>
#include <spool/base/intrusive_list.hpp>
#include <spool/context/context.hpp>
#include <spool/resilience/detail/call_outcome.hpp>
#include <spool/runtime/detail/spin_lock.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>

namespace spool {

enum class circuit_state {
  closed,    ///< calls pass
  open,      ///< calls are refused
  half_open  ///< a few probes pass, to see whether the dependency is back
};

struct circuit_breaker_options {
  int failure_threshold = 3;                                     ///< failures in a row that open the circuit
  std::chrono::nanoseconds open_for = std::chrono::seconds(30);  ///< how long it refuses before it lets probes pass
  int half_open_probes = 1;  ///< so many probes must succeed to close it; no more are under way at once
  /// A probe without an answer for so long has failed. None: as open_for. It should exceed the slowest good answer.
  std::optional<std::chrono::nanoseconds> probe_timeout = {};
  /// Which errors count against the dependency. Empty: all but errc::canceled. An error that does not count is a
  /// success (it answered), except errc::canceled, which says nothing either way.
  std::function<bool(const error&)> is_failure = {};
  /// Called after each change of state, without a lock, on the fiber or thread whose call brought it about; must not
  /// throw. Changes that follow each other closely on several threads may be reported out of order.
  std::function<void(circuit_state from, circuit_state to)> on_state_change = {};
  /// The clock. Must not throw. Empty: the steady clock. It is not called under a lock.
  std::function<std::chrono::steady_clock::time_point()> now = {};
};

/// One per dependency, shared by all who call it. Thread safe; never waits by itself.
///
///   circuit_breaker geocoder({.failure_threshold = 3, .open_for = 30s});
///   result<place> p = geocoder.call([&] { return locate(ctx, address); });
///   if (p.has_error() && p.error() == errc::circuit_open) ...   // refused at once
///
/// Closed: failure_threshold failures in a row open it; a success resets the count. Open: every call gets
/// errc::circuit_open until open_for has passed. Then half-open: half_open_probes calls are let through and the rest
/// refused; when all these have succeeded it closes, when one fails or times out it is open again. An answer counts
/// only in the state in which its call began: what comes later, after the state has changed, is ignored.
class circuit_breaker {
 public:
  class attempt;

  /// A threshold or a number of probes below 1, or a time not above 0: std::invalid_argument.
  explicit circuit_breaker(circuit_breaker_options options = {});
  circuit_breaker(const circuit_breaker&) = delete;
  circuit_breaker& operator=(const circuit_breaker&) = delete;

  /// Calls f unless the circuit is open. f returns a value, void, error, std::error_code or a result<T>; call returns
  /// result<T>, or error where there is no value. An exception is an error. Refused: errc::circuit_open.
  template <class F>
  requires detail::CallableAlone<std::remove_reference_t<F>>
  auto call(F&& f) -> detail::captured_t<detail::call_result_t<F>> { return call_within(context::background(), f); }
  /// As call(f); f may take a const context& and gets ctx. A ctx that is done wins: its err(), f is not called and
  /// nothing is counted. The breaker does not end a call: pass f a context with a deadline.
  template <class F>
  requires detail::CallableUnderPolicy<std::remove_reference_t<F>>
  auto call(const context& ctx, F&& f) -> detail::captured_t<detail::call_result_t<F>> {
    if (ctx.done()) return detail::as_failure<detail::captured_t<detail::call_result_t<F>>>(ctx.err());
    return call_within(ctx, f);
  }

  /// The state at this moment. Half-open from the end of open_for on, although only the next call makes the change.
  circuit_state state() const;

 private:
  struct probe : detail::list_hook {
    detail::time_point began;
  };
  class changes;
  enum class verdict : bool;

  template <class F>
  auto call_within(const context& ctx, F& f) -> detail::captured_t<detail::call_result_t<F>>;

  detail::time_point clock_now() const;
  std::optional<detail::time_point> hung_since(detail::time_point now) const noexcept;
  void settle(detail::time_point now, changes& made) noexcept;
  void enter(circuit_state next, changes& made) noexcept;
  bool admit(attempt& a);
  void conclude(attempt& a, std::optional<verdict> v);
  void notify(const changes& made) const noexcept;

  const circuit_breaker_options options_;
  const std::chrono::nanoseconds probe_timeout_;

  // Guards all below; nothing is called under it. Every change of state begins a new generation.
  mutable detail::spin_lock mu_;
  circuit_state state_ = circuit_state::closed;
  std::uint64_t generation_ = 0;
  detail::time_point latest_ = detail::time_point::min();  // of all readings: time does not run backwards here
  detail::time_point open_until_{};
  int failures_ = 0;                              // closed: in a row
  int successes_ = 0;                             // half-open
  int under_way_ = 0;                             // half-open: length of probes_
  mutable detail::intrusive_list<probe> probes_;  // half-open: oldest first
};

/// One call in two steps, for what is not a function call. Asks when it is made; finish() reports how the call went.
/// One that is destroyed unfinished counts as neither, and gives a probe's place back. Used by one fiber or thread at a
/// time.
///
///   circuit_breaker::attempt attempt(breaker);
///   if (!attempt) return errc::circuit_open;
///   attempt.finish(send(request));
class [[nodiscard]] circuit_breaker::attempt {
 public:
  explicit attempt(circuit_breaker& breaker) : breaker_(breaker), pending_(breaker.admit(*this)) {}
  ~attempt();
  attempt(const attempt&) = delete;
  attempt& operator=(const attempt&) = delete;

  /// Whether the call may be made, and has not been finished.
  explicit operator bool() const noexcept { return pending_; }
  /// Once. No error: a success. Refused, or finished before: std::logic_error.
  void finish(const error& outcome);

 private:
  friend class circuit_breaker;
  circuit_breaker& breaker_;
  std::uint64_t generation_ = 0;
  probe probe_;
  bool pending_;
};

template <class F>
auto circuit_breaker::call_within(const context& ctx, F& f) -> detail::captured_t<detail::call_result_t<F>> {
  using R = detail::call_result_t<F>;
  static_assert(detail::CallResult<R>,
                "a function to call returns a value, void, error, std::error_code or spool::result; make one of "
                "these of any other type that holds an error (errc, boost::system::error_code or result, "
                "std::expected)");
  attempt a(*this);
  if (!a) return detail::as_failure<detail::captured_t<R>>(errc::circuit_open);
  auto outcome = detail::capture_call(ctx, f);
  a.finish(detail::error_in(outcome));
  return outcome;
}

}  // namespace spool
