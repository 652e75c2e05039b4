// mutex: mutual exclusion that parks the fiber instead of blocking its thread.
#pragma once

#include <spool/base/error.hpp>
#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/waiter.hpp>
#include <spool/sync/detail/wait_limit.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace spool {

/// Works with std::unique_lock, std::scoped_lock and std::lock. Not recursive. It belongs to no fiber: who locked it
/// may let another fiber unlock it, as in Go. Under contention whoever runs may take it first (which is fast), but a
/// waiter that loses after a tick of the kernel's clock (1 to 10 ms) gets it handed over, and so do those behind it: nobody
/// starves.
/// May be destroyed as soon as the last lock on it has returned and been unlocked, even while that unlock is still
/// running.
class mutex {
 public:
  mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  void lock() {
    // Before, not after: a fiber that holds the lock must not be the one that yields.
    const detail::fiber* self = detail::spend_budget().self;
    if (!take_free()) lock_slow({});
    owner_.last.store(self, std::memory_order_relaxed);
  }

  /// Never waits.
  bool try_lock() {
    const detail::fiber* self = detail::spend_budget().self;
    return (take_free() || take_contended()) && own(self);
  }

  /// Locks unless ctx is done, or becomes so meanwhile: none, or the context's error and no lock.
  [[nodiscard]] error lock(const context& ctx);

  template <class Rep, class Period>
  bool try_lock_for(std::chrono::duration<Rep, Period> d) {
    return lock_until(detail::deadline_after(d));
  }
  template <class Clock, class Duration>
  bool try_lock_until(std::chrono::time_point<Clock, Duration> when) {
    return lock_until(detail::to_steady(when));
  }

  /// Never waits. Not locked: std::logic_error.
  void unlock() {
    std::uint32_t expected = locked;
    if (!state_.compare_exchange_strong(expected, 0, std::memory_order_release, std::memory_order_relaxed)) unlock_slow();
  }

 private:
  // Bits of state_. `waiting` and `handing_over` change under mu_ only; `waiting` is set while queue_ is not empty.
  static constexpr std::uint32_t locked = 1;
  static constexpr std::uint32_t waiting = 2;
  static constexpr std::uint32_t woken = 4;         // one waiter was sent to compete: no need to send another
  static constexpr std::uint32_t handing_over = 8;  // a waiter starved: unlock gives the lock to the first in the queue

  struct queued;

  bool take_free() noexcept {
    std::uint32_t expected = 0;
    return state_.compare_exchange_strong(expected, locked, std::memory_order_acquire, std::memory_order_relaxed);
  }
  bool own(const detail::fiber* self) noexcept {
    owner_.last.store(self, std::memory_order_relaxed);
    return true;
  }
  bool lock_until(detail::time_point deadline);
  bool take_contended() noexcept;
  bool take_spinning() noexcept;
  bool take_or_queue(queued& self);
  bool compete(queued& self);
  void withdraw(queued& self);
  detail::waiter::outcome lock_slow(detail::wait_limit limit);
  void unlock_slow();

  detail::lock_owner owner_;  // first: see mutex_wait
  std::atomic<std::uint32_t> state_{0};
  detail::spin_lock mu_;
  detail::wait_queue queue_;  // guarded by mu_
};

}  // namespace spool
