// A lock for sections of tens of nanoseconds. It may be taken by fibers and plain threads; no fiber parks while
// it holds one. User code (a move constructor) may run under it: who finds it taken spins a bounded number of times,
// then yields its fiber or thread, so that even a holder that was descheduled gets to go on.
#pragma once

#include <spool/base/clock.hpp>

#include <atomic>
#include <cstdint>

namespace spool::detail {

/// The worker whose fibers met contention here first, lately. Two bytes, so that a channel's fields stay on one cache line.
class contention_mark {
 public:
  /// The worker named within the last 4 ms or so; if there is none, `self` from now on.
  unsigned claim(unsigned self, time_point now) noexcept;

 private:
  std::atomic<std::uint8_t> worker_{0};  // index + 1
  std::atomic<std::uint8_t> when_{0};    // in 2^20 ns; wraps round, so an old mark may pass for a new one: it does no harm
};

/// The calling fiber found the lock taken that `mark` belongs to; if that happens all the time, it moves.
void meet_contention(contention_mark& mark) noexcept;

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
  contention_mark mark_;
};

}  // namespace spool::detail
