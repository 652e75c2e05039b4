// shared_mutex: many readers or one writer.
#pragma once

#include <spool/base/error.hpp>
#include <spool/runtime/detail/shared_holders.hpp>
#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/waiter.hpp>
#include <spool/sync/detail/wait_limit.hpp>

#include <chrono>

namespace spool {

/// Works with std::shared_lock and std::unique_lock. A waiting writer keeps new readers out; when a writer unlocks, the
/// readers that wait by then go first. So neither starves. Not recursive: a reader that locks again while a writer
/// waits deadlocks, as with Go's sync.RWMutex. May be destroyed as soon as the last lock on it has been unlocked, even
/// while that unlock is still running.
///
/// Reports of who waits for it name the fiber that holds it as a writer; of readers they tell the number, and the names
/// of four at most. It belongs to no fiber: who locked it may let another fiber unlock it, but is named meanwhile; of
/// readers that others unlock for names may be missing or wrong.
class shared_mutex {
 public:
  shared_mutex() noexcept = default;
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;

  void lock() { lock_within({}); }
  /// Never waits.
  bool try_lock();
  /// None, or the context's error and no lock. A ctx that is done already wins.
  [[nodiscard]] error lock(const context& ctx);
  template <class Rep, class Period>
  bool try_lock_for(std::chrono::duration<Rep, Period> d) {
    return lock_within(detail::deadline_after(d)) == detail::waiter::done;
  }
  template <class Clock, class Duration>
  bool try_lock_until(std::chrono::time_point<Clock, Duration> when) {
    return lock_within(detail::to_steady(when)) == detail::waiter::done;
  }
  /// Never waits. No writer holds it: std::logic_error.
  void unlock();

  void lock_shared() { lock_shared_within({}); }
  /// Never waits. False also while a writer waits.
  bool try_lock_shared();
  /// None, or the context's error and no lock. A ctx that is done already wins.
  [[nodiscard]] error lock_shared(const context& ctx);
  template <class Rep, class Period>
  bool try_lock_shared_for(std::chrono::duration<Rep, Period> d) {
    return lock_shared_within(detail::deadline_after(d)) == detail::waiter::done;
  }
  template <class Clock, class Duration>
  bool try_lock_shared_until(std::chrono::time_point<Clock, Duration> when) {
    return lock_shared_within(detail::to_steady(when)) == detail::waiter::done;
  }
  /// Never waits. No reader holds it: std::logic_error.
  void unlock_shared();

 private:
  bool take_locked(const detail::fiber* self) noexcept;
  bool take_shared_locked(const detail::fiber* self) noexcept;
  bool waited_for() noexcept { return !writers_.empty() || !readers_.empty(); }
  void admit_readers(detail::wait_queue& woken) noexcept;
  void admit_writer(detail::wait_queue& woken) noexcept;
  detail::waiter::outcome lock_within(detail::wait_limit limit);
  detail::waiter::outcome lock_shared_within(detail::wait_limit limit);

  // All but mu_ itself is guarded by mu_.
  detail::shared_holders holders_;  // first: see shared_mutex_wait
  detail::spin_lock mu_;
  bool writing_ = false;
  detail::wait_queue writers_;
  detail::wait_queue readers_;
};

}  // namespace spool
