// latch: a gate that opens once, after a number of arrivals.
#pragma once

#include <spool/base/error.hpp>
#include <spool/sync/detail/countdown.hpp>

#include <chrono>
#include <cstddef>

namespace spool {

/// Used like std::latch. A negative count, or counting below zero: std::logic_error. May be destroyed as soon as the
/// last wait has returned, even while the count_down that opened it is still running.
class latch {
 public:
  explicit latch(std::ptrdiff_t count);
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;

  /// Never waits.
  void count_down(std::ptrdiff_t n = 1);
  /// Waits until the count is zero.
  void wait() { arrivals_.wait({}, "latch"); }
  /// None, or the context's error. A ctx that is done already wins.
  error wait(const context& ctx);
  /// True: the count is zero. False: `d` has passed.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> d) {
    return arrivals_.wait(detail::deadline_after(d), "latch") == detail::waiter::done;
  }
  /// Whether the count is zero. Never waits.
  bool try_wait();
  void arrive_and_wait(std::ptrdiff_t n = 1) {
    count_down(n);
    wait();
  }

 private:
  detail::countdown arrivals_;
};

}  // namespace spool
