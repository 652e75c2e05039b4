// A lock for sections of tens of nanoseconds. It may be taken by fibers and plain threads; no fiber parks while
// it holds one. User code (a move constructor) may run under it: who finds it taken spins a bounded number of times,
// then yields its fiber or thread, so that even a holder that was descheduled gets to go on.
#pragma once

#include <atomic>

namespace spool::detail {

class spin_lock {
 public:
  spin_lock() noexcept = default;
  spin_lock(const spin_lock&) = delete;
  spin_lock& operator=(const spin_lock&) = delete;

  void lock() noexcept {
    if (locked_.exchange(true, std::memory_order_acquire)) lock_contended();
  }
  bool try_lock() noexcept { return !locked_.exchange(true, std::memory_order_acquire); }
  void unlock() noexcept { locked_.store(false, std::memory_order_release); }

 private:
  void lock_contended() noexcept;
  std::atomic<bool> locked_{false};
};

}  // namespace spool::detail
