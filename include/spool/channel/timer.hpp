// timer, ticker, after: time as something to receive from.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/channel/endpoints.hpp>

#include <chrono>
#include <memory>

namespace spool {
namespace detail {

class channel_timer;
struct drop_channel_timer {
  void operator()(channel_timer* t) const noexcept;
};

/// What timer and ticker share: owns a counted channel_timer, which outlives its owner while it is about to fire.
class channel_timer_owner {
 public:
  channel_timer_owner(time_point when, clock::duration period);
  receiver<time_point> c() const;
  bool stop() noexcept;
  void reset(time_point when, clock::duration period);

 private:
  std::unique_ptr<channel_timer, drop_channel_timer> timer_;
};

/// `d` in the clock's unit, at least one of it. Not positive: std::invalid_argument.
[[noreturn]] void throw_bad_period();
template <class Rep, class Period>
clock::duration to_period(std::chrono::duration<Rep, Period> d) {
  using rough = std::chrono::duration<double>;
  if (!(rough(d) > rough::zero())) throw_bad_period();
  if (rough(d) >= rough(clock::duration::max())) return clock::duration::max();
  return std::chrono::ceil<clock::duration>(d);
}

}  // namespace detail

/// Delivers one time point, d after it was made or reset; at once if d is not positive. The channel holds it until it is
/// received. As in Go since 1.23: after stop() or reset() has returned, no value of an earlier setting is received.
/// Thread safe. Works with no runtime. The destructor stops it: a receiver that is left over waits for ever.
/// Go: time.Timer.
class timer {
 public:
  template <class Rep, class Period>
  explicit timer(std::chrono::duration<Rep, Period> d) : state_(detail::deadline_after(d), {}) {}
  ~timer() { state_.stop(); }
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  /// The channel, always the same.
  receiver<std::chrono::steady_clock::time_point> c() const { return state_.c(); }
  /// True: its value was not received and will not be. False: it was received, or the timer was stopped. Never waits.
  bool stop() noexcept { return state_.stop(); }
  /// As if made anew. Never waits.
  template <class Rep, class Period>
  void reset(std::chrono::duration<Rep, Period> d) {
    state_.reset(detail::deadline_after(d), {});
  }

 private:
  detail::channel_timer_owner state_;
};

/// Delivers a time point every period. At most one waits to be received: a slow receiver misses ticks, which do not pile
/// up. stop and reset drop one that was not received. A period that is not positive: std::invalid_argument.
/// Thread safe. Works with no runtime. The destructor stops it. Go: time.Ticker.
class ticker {
 public:
  template <class Rep, class Period>
  explicit ticker(std::chrono::duration<Rep, Period> period) : ticker(detail::to_period(period), 0) {}
  ~ticker() { stop(); }
  ticker(const ticker&) = delete;
  ticker& operator=(const ticker&) = delete;

  /// The channel, always the same. Stopping does not close it.
  receiver<std::chrono::steady_clock::time_point> c() const { return state_.c(); }
  /// Never waits.
  void stop() noexcept { (void)state_.stop(); }
  /// Starts anew with another period; the next tick comes one period from now. Never waits.
  template <class Rep, class Period>
  void reset(std::chrono::duration<Rep, Period> period) {
    const auto checked = detail::to_period(period);
    state_.reset(detail::deadline_after(checked), checked);
  }

 private:
  ticker(detail::clock::duration period, int) : state_(detail::deadline_after(period), period) {}

  detail::channel_timer_owner state_;
};

namespace detail {
receiver<time_point> after_until(time_point when);
}

/// The channel of a timer that nobody can stop: receives one time point, d from now. Never waits itself. Go: time.After.
template <class Rep, class Period>
receiver<std::chrono::steady_clock::time_point> after(std::chrono::duration<Rep, Period> d) {
  return detail::after_until(detail::deadline_after(d));
}

}  // namespace spool
