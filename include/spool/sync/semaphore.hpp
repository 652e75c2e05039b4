// semaphore: a weighted counting semaphore that serves its waiters in the order in which they came.
#pragma once

#include <spool/base/error.hpp>
#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/waiter.hpp>
#include <spool/sync/detail/wait_limit.hpp>

#include <chrono>
#include <cstddef>

namespace spool {

/// Holds a number of units; acquire takes some, release adds some. First come, first served: a large request at the
/// front is not overtaken by small ones behind it. As std::counting_semaphore, and unlike Go's semaphore.Weighted, the
/// initial count is no upper bound: release may add more than was acquired, and a request larger than the count waits.
/// Negative counts: std::invalid_argument. May be destroyed as soon as the last acquire has returned, even while the
/// release that ended it is still running.
class semaphore {
 public:
  explicit semaphore(std::ptrdiff_t count);
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  /// Waits for n units and takes them.
  void acquire(std::ptrdiff_t n = 1) { acquire_within(n, {}); }
  /// None, or the context's error and nothing taken. A ctx that is done already wins.
  [[nodiscard]] error acquire(const context& ctx, std::ptrdiff_t n = 1);
  template <class Rep, class Period>
  bool try_acquire_for(std::chrono::duration<Rep, Period> d, std::ptrdiff_t n = 1) {
    return acquire_within(n, detail::deadline_after(d)) == detail::waiter::done;
  }
  template <class Clock, class Duration>
  bool try_acquire_until(std::chrono::time_point<Clock, Duration> when, std::ptrdiff_t n = 1) {
    return acquire_within(n, detail::to_steady(when)) == detail::waiter::done;
  }
  /// Never waits. False also while others wait.
  bool try_acquire(std::ptrdiff_t n = 1);
  /// Never waits. A sum that std::ptrdiff_t cannot hold: std::logic_error.
  void release(std::ptrdiff_t n = 1);

  /// Units that nobody holds just now.
  std::ptrdiff_t available() const;

 private:
  struct request;

  void serve(detail::wait_queue& woken) noexcept;
  detail::waiter::outcome acquire_within(std::ptrdiff_t n, detail::wait_limit limit);

  mutable detail::spin_lock mu_;
  std::ptrdiff_t count_;       // guarded by mu_
  detail::wait_queue queue_;   // guarded by mu_
};

}  // namespace spool
