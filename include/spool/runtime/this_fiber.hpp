// The calling fiber. On a plain thread these act on the thread.
#pragma once

#include <spool/base/clock.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace spool {

/// Names a fiber for the life of the process; ids are not reused. A plain thread has the id 0.
class fiber_id {
 public:
  constexpr fiber_id() noexcept = default;
  constexpr explicit fiber_id(std::uint64_t value) noexcept : value_(value) {}
  constexpr std::uint64_t value() const noexcept { return value_; }
  constexpr explicit operator bool() const noexcept { return value_ != 0; }
  friend constexpr auto operator<=>(fiber_id, fiber_id) noexcept = default;

 private:
  std::uint64_t value_ = 0;
};

namespace this_fiber {

/// Lets other ready fibers run first. On a plain thread: std::this_thread::yield. Go: runtime.Gosched.
void yield();

/// The steady clock's time; in a bubble (testing/bubble.hpp) the bubble's, by which all of spool's waits go there.
inline detail::time_point now() noexcept { return detail::clock::now(); }

/// Waits until `when`; max() means for ever.
void sleep_until(detail::time_point when);

template <class Clock, class Duration>
void sleep_until(std::chrono::time_point<Clock, Duration> when) {
  sleep_until(detail::to_steady(when));
}

/// Waits for `d`; not at all when d <= 0 (it yields). Go: time.Sleep.
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> d) {
  sleep_until(detail::deadline_after(d));
}

/// The calling fiber's id; 0 on a plain thread.
fiber_id id() noexcept;

/// Names the calling fiber in reports and logs until it ends. On a plain thread: std::logic_error.
void set_name(std::string_view name);
/// The name given, or an empty one. Valid until the fiber ends or is named again.
std::string_view name() noexcept;

/// How much of the calling fiber's stack has been touched so far, in bytes and whole pages: by this fiber, and by those that
/// were on the same stack before. 0 on a plain thread. Asks the kernel; pages that were swapped out do not count.
std::size_t stack_high_water();

/// While it lives the fiber resumes on its present worker thread only (other fibers may run there too). May be nested;
/// must be destroyed by the fiber that made it. On a plain thread it does nothing. Go: runtime.LockOSThread, not exclusive.
class [[nodiscard]] pin {
 public:
  pin() noexcept;
  ~pin();
  pin(const pin&) = delete;
  pin& operator=(const pin&) = delete;
};

}  // namespace this_fiber
}  // namespace spool

template <>
struct std::hash<spool::fiber_id> {
  std::size_t operator()(spool::fiber_id id) const noexcept { return std::hash<std::uint64_t>{}(id.value()); }
};
