// The time as the monitors last saw it: a load, where a look at the clock would cost as much as the switch it is for. Behind
// by a tick (4 ms) while a runtime works; a monitor that slept because nothing ran sets it before anything runs again.
#pragma once

#include <spool/base/clock.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace spool::detail {

class coarse_clock {
 public:
  /// In milliseconds; wraps after 49 days.
  static std::uint32_t now() noexcept { return now_.load(std::memory_order_relaxed); }
  static void set(time_point now) noexcept { now_.store(in_ms(now), std::memory_order_relaxed); }
  /// How long ago `stamp` was, at `now`.
  static std::chrono::milliseconds since(std::uint32_t stamp, time_point now) noexcept {
    const auto age = static_cast<std::int32_t>(in_ms(now) - stamp);
    return std::chrono::milliseconds(age > 0 ? age : 0);
  }

 private:
  static std::uint32_t in_ms(time_point t) noexcept {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count());
  }
  static inline std::atomic<std::uint32_t> now_{0};
};

}  // namespace spool::detail
