// condition_variable: wait for a change of what a spool::mutex guards.
#pragma once

#include <spool/context/context.hpp>
#include <spool/sync/mutex.hpp>

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <mutex>

namespace spool {

/// Used like std::condition_variable, with std::unique_lock<spool::mutex>; waiters are notified first come, first
/// served. A wait has no spurious ends, but the condition may have changed again by the time the lock is back: use the
/// forms that take a predicate. A lock that owns nothing: std::logic_error. Every wait returns with the lock held,
/// whatever ended it. May be destroyed once all waiters have been notified; they need not have returned. Go: sync.Cond.
class condition_variable {
 public:
  using lock_type = std::unique_lock<mutex>;

  condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;

  /// Wake the longest waiter, or all. Never wait; the mutex need not be held.
  void notify_one() noexcept;
  void notify_all() noexcept;

  void wait(lock_type& lock) { wait_within(lock, {}); }

  template <std::predicate Condition>
  void wait(lock_type& lock, Condition condition) {
    while (!condition()) wait(lock);
  }

  /// None when notified, else the error of ctx, which is done. A ctx that is done already wins: it does not wait.
  [[nodiscard]] error wait(lock_type& lock, const context& ctx);

  /// None when the condition holds, else the error of ctx. A ctx that is done already wins over the condition.
  template <std::predicate Condition>
  [[nodiscard]] error wait(lock_type& lock, const context& ctx, Condition condition) {
    for (;;) {
      if (error e = check(ctx)) return e;
      if (condition()) return {};
      if (error e = wait(lock, ctx)) return e;
    }
  }

  template <class Clock, class Duration>
  std::cv_status wait_until(lock_type& lock, std::chrono::time_point<Clock, Duration> when) {
    const bool notified = wait_within(lock, detail::to_steady(when)) == detail::waiter::done;
    return notified ? std::cv_status::no_timeout : std::cv_status::timeout;
  }

  /// Returns whether the condition holds at the end.
  template <class Clock, class Duration, std::predicate Condition>
  bool wait_until(lock_type& lock, std::chrono::time_point<Clock, Duration> when, Condition condition) {
    while (!condition()) {
      if (wait_until(lock, when) == std::cv_status::timeout) return condition();
    }
    return true;
  }

  template <class Rep, class Period>
  std::cv_status wait_for(lock_type& lock, std::chrono::duration<Rep, Period> d) {
    return wait_until(lock, detail::deadline_after(d));
  }

  template <class Rep, class Period, std::predicate Condition>
  bool wait_for(lock_type& lock, std::chrono::duration<Rep, Period> d, Condition condition) {
    return wait_until(lock, detail::deadline_after(d), std::move(condition));
  }

 private:
  static error check(const context& ctx);
  detail::waiter::outcome wait_within(lock_type& lock, detail::wait_limit limit);

  detail::spin_lock mu_;
  detail::wait_queue queue_;  // guarded by mu_
};

}  // namespace spool
