// completion: one event that one fiber or plain thread waits for and that some other thread announces, once. It may
// come before, during or after the wait for it; the object may die as soon as wait() has returned `true`.
#pragma once

#include <spool/runtime/detail/waiter.hpp>

#include <atomic>

namespace spool {

class context;

namespace detail {

class completion {
 public:
  completion() noexcept = default;
  completion(const completion&) = delete;
  completion& operator=(const completion&) = delete;

  /// Announces the event. May be the last access to *this.
  void announce() noexcept;
  bool announced() const noexcept { return waiting_.load(std::memory_order_acquire) == announced_mark(); }

  /// True: the event was announced. False: ctx (null: never) was done first; wait() may be called again.
  bool wait(const context* ctx, wait_site site) noexcept { return wait_within(ctx, time_point::max(), site); }
  /// The same with a point in time.
  bool wait_until(time_point deadline, wait_site site) noexcept { return wait_within(nullptr, deadline, site); }

 private:
  bool wait_within(const context* ctx, time_point deadline, wait_site site) noexcept;
  waiter* announced_mark() const noexcept {
    return reinterpret_cast<waiter*>(const_cast<completion*>(this));  // an address that no waiter has
  }

  // Null, who waits, or announced_mark(). announce() takes the waiter out and owns the right to claim it; a waiter that
  // its limit claimed first takes itself out, or finds the mark and waits for late_.
  std::atomic<waiter*> waiting_{nullptr};
  std::atomic<bool> late_{false};  // announce() came second: its last access
};

}  // namespace detail
}  // namespace spool
