// Time points of the steady clock, and saturating arithmetic on them.
#pragma once

#include <spool/base/substitutes.hpp>

#include <chrono>
#include <type_traits>

namespace spool::detail {

using time_point = std::chrono::steady_clock::time_point;

/// The steady clock; on the fibers of a bubble, the bubble's. Both count in the same time points.
struct clock {
  using duration = std::chrono::steady_clock::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr bool is_steady = true;

  static time_point now() noexcept {
    const substitutes* s = substituted.load(std::memory_order_acquire);
    if (s != nullptr) [[unlikely]] return s->now();
    return std::chrono::steady_clock::now();
  }
};

/// Now plus `d`; a sum that the clock cannot hold becomes "never" (time_point::max()).
template <class Rep, class Period>
time_point deadline_after(std::chrono::duration<Rep, Period> d) {
  const time_point now = clock::now();
  // Compared in the coarser of the two ways that cannot overflow: as floating seconds.
  const std::chrono::duration<double> room = time_point::max() - now;
  if (std::chrono::duration<double>(d) >= room - std::chrono::seconds(1)) return time_point::max();
  if (std::chrono::duration<double>(d) <= std::chrono::duration<double>(-1e9)) return time_point::min();
  return now + std::chrono::ceil<clock::duration>(d);
}

/// A time point of any clock as one of the steady clock.
template <class Clock, class Duration>
time_point to_steady(std::chrono::time_point<Clock, Duration> tp) {
  if constexpr (std::is_same_v<Clock, std::chrono::steady_clock> || std::is_same_v<Clock, clock>) {
    if (std::chrono::duration<double>(tp.time_since_epoch()) >=
        std::chrono::duration<double>(time_point::max().time_since_epoch())) {
      return time_point::max();
    }
    return std::chrono::ceil<clock::duration>(tp);
  } else {
    // Compared as floating seconds, as the difference may be more than the clock can count.
    const auto now = Clock::now();
    const std::chrono::duration<double> ahead =
        std::chrono::duration<double>(tp.time_since_epoch()) - std::chrono::duration<double>(now.time_since_epoch());
    if (ahead <= std::chrono::duration<double>(-1e9)) return time_point::min();
    if (ahead >= std::chrono::duration<double>(7e9)) return time_point::max();
    return deadline_after(tp - now);
  }
}

}  // namespace spool::detail
