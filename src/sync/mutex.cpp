// While mu_ is free:
//   I1 queue_ is not empty => waiting is set        I2 handing_over => waiting and locked
//   I3 woken <=> exactly one waiter was claimed to compete and has not looked at state_ since
// The fast paths never take mu_. An unlock whose queue turns out to be empty must therefore give up the lock *after* it
// has released mu_: whoever takes the free lock next may unlock it and destroy the mutex without ever meeting mu_. An
// unlock that has claimed a waiter may still touch the mutex until it wakes it: that waiter's lock() has not returned.
#include <spool/sync/detail/claim.hpp>
#include <spool/sync/mutex.hpp>

#include <time.h>

#include <mutex>
#include <stdexcept>

namespace spool {
namespace {

// Barging saves a switch per lock; this bounds what it costs those who wait. In ticks of the kernel's: one that has passed.
constexpr std::chrono::milliseconds starvation{1};

// Worth a try when the holder runs on another worker and is nearly done; a switch costs about as much.
constexpr int spins = 30;

/// As of the kernel's last tick, up to 10 ms ago: the exact time would be a quarter of what a lock costs that waits. Not a
/// coarse_clock, which stands still where no runtime works.
detail::time_point roughly_now() noexcept {
  if (detail::substituted.load(std::memory_order_relaxed) != nullptr) [[unlikely]] return detail::clock::now();
  timespec tick{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &tick);
  return detail::time_point(std::chrono::seconds(tick.tv_sec) + std::chrono::nanoseconds(tick.tv_nsec));
}

void pause_cpu() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct mutex::queued : detail::wait_node {
  queued() noexcept : wait_node(self) {}
  detail::waiter self;
  detail::time_point since = roughly_now();
  bool was_queued = false;
  bool handed = false;  // by the unlock that claimed it: the lock is ours already
};

bool mutex::take_contended() noexcept {
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  while ((s & locked) == 0) {
    if (state_.compare_exchange_weak(s, s | locked, std::memory_order_acquire, std::memory_order_relaxed)) return true;
  }
  return false;
}

bool mutex::take_spinning() noexcept {
  for (int i = 0; i < spins; ++i) {
    if (take_contended()) return true;
    if ((state_.load(std::memory_order_relaxed) & handing_over) != 0) return false;
    pause_cpu();
  }
  return false;
}

bool mutex::take_or_queue(queued& self) {
  const bool starving = self.was_queued && roughly_now() - self.since >= starvation;
  const std::lock_guard guard(mu_);
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool take = (s & locked) == 0;
    const std::uint32_t next = take ? s | locked : s | waiting | (starving ? handing_over : 0);
    if (!state_.compare_exchange_weak(s, next, std::memory_order_acquire, std::memory_order_relaxed)) continue;
    if (take) return true;
    break;
  }
  // Who lost a competition keeps its place.
  if (self.was_queued) {
    queue_.push_front(self);
  } else {
    queue_.push_back(self);
  }
  self.was_queued = true;
  return false;
}

bool mutex::compete(queued& self) {
  if (self.handed) return true;
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool take = (s & locked) == 0;
    const std::uint32_t next = (take ? s | locked : s) & ~woken;
    if (state_.compare_exchange_weak(s, next, std::memory_order_acquire, std::memory_order_relaxed)) return take;
  }
}

void mutex::withdraw(queued& self) {
  const std::lock_guard guard(mu_);
  if (!self.linked()) return;
  detail::wait_queue::erase(self);
  if (queue_.empty()) state_.fetch_and(~(waiting | handing_over), std::memory_order_relaxed);
}

detail::waiter::outcome mutex::lock_slow(detail::wait_limit limit) {
  if (take_spinning()) return detail::waiter::done;
  queued self;
  self.alone = limit.none();
  while (!take_or_queue(self)) {
    const detail::waiter::outcome how = limit.wait(self.self, {detail::mutex_wait, &owner_});
    if (how != detail::waiter::done) {
      withdraw(self);
      return how;
    }
    if (compete(self)) break;
    self.self.rearm();
  }
  return detail::waiter::done;
}

bool mutex::lock_until(detail::time_point deadline) {
  const detail::fiber* self = detail::spend_budget().self;
  const bool locked_now = take_free() || take_contended() || lock_slow(deadline) == detail::waiter::done;
  return locked_now && own(self);
}

error mutex::lock(const context& ctx) {
  const detail::fiber* self = detail::spend_budget().self;
  const detail::wait_limit limit(ctx);
  if (limit.canceled()) return limit.to_error(detail::waiter::canceled);
  if (!take_free()) {
    const detail::waiter::outcome how = lock_slow(limit);
    if (how != detail::waiter::done) return limit.to_error(how);
  }
  own(self);
  return {};
}

void mutex::unlock_slow() {
  for (std::uint32_t s = state_.load(std::memory_order_relaxed);;) {
    if ((s & locked) == 0) {
      throw std::logic_error("spool::mutex::unlock: the mutex is not locked; unlock it once for each lock");
    }
    if ((s & waiting) == 0 || (s & (woken | handing_over)) == woken) {
      if (state_.compare_exchange_weak(s, s & ~locked, std::memory_order_release, std::memory_order_relaxed)) return;
      continue;
    }
    queued* next;
    {
      const std::lock_guard guard(mu_);
      next = static_cast<queued*>(detail::claim_first(queue_));
      s = state_.load(std::memory_order_relaxed);  // only the woken bit, if set, can change now
      const std::uint32_t gone = queue_.empty() ? waiting | handing_over : 0;
      if (next == nullptr) {
        s = state_.fetch_and(~gone, std::memory_order_relaxed) & ~gone;
      } else if ((s & handing_over) != 0) {
        next->handed = true;
        const bool in_time = roughly_now() - next->since < starvation;
        state_.fetch_and(~(gone | (in_time ? handing_over : 0)), std::memory_order_relaxed);
      } else {
        // One plain store: woken is not set, so nothing of state_ can change before it.
        state_.store((s & ~(locked | gone)) | woken, std::memory_order_release);
      }
    }
    if (next != nullptr) {
      next->owner->wake();
      return;
    }
  }
}

}  // namespace spool
