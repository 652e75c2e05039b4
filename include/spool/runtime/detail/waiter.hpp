// The seam through which everything above the runtime waits. Nothing else suspends a fiber.
//
// One waiter = one wait of one fiber or plain thread. It lives on the stack of who waits:
//   1. construct it (binds to the calling fiber, or to the calling thread);
//   2. register it where it can be found (a channel's queue, a context, …), under that object's lock;
//   3. release the lock and call wait().
// Whoever wants to end the wait calls claim(): exactly one claim succeeds. The winner alone may touch what the
// waiter asked for (its slot), and must then call wake() exactly once, after it has released every lock. When
// wake() returns, the waiter and the object it waited on may be gone.
// Who waits deregisters, under the lock, from every place that did not claim it before the waiter dies.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/base/intrusive_list.hpp>
#include <spool/base/substitutes.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace spool::detail {

class biased_lock;
class fiber;

/// What a wait is for, as reports show it: a literal such as "recv", and the object's address.
struct wait_site {
  const char* what = "";
  const void* object = nullptr;
};

/// The object of a wait that is registered nowhere, so that nothing can end it: a receive from a nil channel.
extern const char nobody[];

/// First member of a lock: the fiber that took it last, for reports. Null: a plain thread. Meaningless while it is free.
struct lock_owner {
  std::atomic<const fiber*> last{nullptr};
};
/// The `what` of waits without limit on a channel, whose object's first bytes hold all that refers to who waits; compared by address.
extern const char channel_send_wait[];
extern const char channel_recv_wait[];
inline constexpr std::size_t channel_head_bytes = 88;
/// The same for a future's state.
inline constexpr std::size_t future_head_bytes = 64;

/// The `what` of a wait for a lock whose address is that of its lock_owner; compared by address.
extern const char mutex_wait[];
/// The same for a lock whose address is that of its shared_holders: of who wants it alone, and of who would share it.
extern const char shared_mutex_wait[];
extern const char shared_mutex_read_wait[];

/// The calling fiber; null on a plain thread.
[[gnu::noinline]] fiber* current_fiber() noexcept;
class waiter;
/// On fiber f: waits until unpark(f). Releases `held`, under which alone w can be claimed.
void park(fiber& f, waiter& w, biased_lock& held, wait_site site) noexcept;
/// By `waker`, the calling fiber; null on a plain thread.
void unpark(fiber& f, fiber* waker) noexcept;

class waiter {
 public:
  /// How a wait ended. 1 and up (select: case index + 1) are free for the object that is waited on.
  using outcome = std::uint32_t;
  static constexpr outcome pending = 0;
  static constexpr outcome done = 1;
  static constexpr outcome timed_out = ~outcome{0} - 2;
  static constexpr outcome canceled = ~outcome{0} - 1;
  static constexpr outcome abandoned = ~outcome{0};  // proven unwakeable at the end of run; never resumed

  waiter() noexcept : waiter(current_fiber()) {}
  explicit waiter(fiber* self) noexcept : fiber_(self) {}  // self: the calling fiber; null on a plain thread
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  /// Who waits; null: a plain thread.
  const fiber* who() const noexcept { return fiber_; }
  bool claimed() const noexcept { return outcome_.load(std::memory_order_relaxed) != pending; }

  /// True for exactly one caller. Acquire and release: what the winner of one race wrote is seen by the next.
  bool claim(outcome how) noexcept {
    outcome expected = pending;
    return outcome_.compare_exchange_strong(expected, how, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  /// The same for a waiter whom nobody can claim but the holders of one lock, one after the other: no locked operation.
  bool claim_alone(outcome how) noexcept {
    if (claimed()) return false;  // abandoned, at a time when nothing could run
    outcome_.store(how, std::memory_order_relaxed);
    return true;
  }

  /// Ends the wait; by the successful claimer, once, with no lock held. Never waits.
  void wake() noexcept { wake(current_fiber()); }
  void wake(fiber* waker) noexcept {
    if (fiber_ != nullptr) return unpark(*fiber_, waker);
    wake_thread();
  }

  /// Waits until claimed and woken; returns the outcome claimed. What the claimer wrote before wake() is visible.
  outcome wait(wait_site site) noexcept;

  /// As wait(), for a waiter whom nobody can claim but under `held`, which the caller holds and this releases.
  outcome wait_unlocking(biased_lock& held, wait_site site) noexcept {
    if (fiber_ == nullptr) [[unlikely]] return wait_on_thread_unlocking(held);
    park(*fiber_, *this, held, site);
    return outcome_.load(std::memory_order_acquire);
  }

  /// As wait(); at `deadline` claims `timed_out` itself. time_point::max() means never.
  outcome wait_until(time_point deadline, wait_site site) noexcept;

  /// Makes a finished waiter, registered nowhere, ready for another wait.
  void rearm() noexcept;

  /// What a fiber's wait without limit needs to end: somebody who refers to...
  enum class needs : std::uint32_t {
    unknown = 0,
    future = 3,      // its state, which is part of nothing
    surroundings,    // the object or what it is a part of
    one_of_several,  // a channel of a waiter_on_several
  };
  /// For reports; before the wait.
  void note(needs what) noexcept {
    if (fiber_ != nullptr) thread_word_.store(static_cast<std::uint32_t>(what), std::memory_order_relaxed);
  }

 private:
  friend class fiber;
  friend bool still_waits(const waiter* w) noexcept;
  friend needs needs_of(const waiter* w) noexcept;
  void wake_thread() noexcept;
  outcome wait_on_thread(time_point deadline) noexcept;
  outcome wait_on_thread_unlocking(biased_lock& held) noexcept;

  fiber* fiber_;                                // null: a plain thread
  std::atomic<outcome> outcome_{pending};
  std::atomic<std::uint32_t> thread_word_{0};   // futex word of a plain thread: 1 when woken. Of a fiber: its `needs`
};

/// A select's: the channels that it waits on, if it waits on nothing else.
struct waiter_on_several : waiter {
  using waiter::waiter;
  const void* const* objects = nullptr;
  std::size_t count = 0;
};

/// A waiter's place in the queue of one object.
struct wait_node : list_hook {
  explicit wait_node(waiter& w, waiter::outcome how = waiter::done) noexcept : owner(&w), claim_as(how) {}
  waiter* owner;
  waiter::outcome claim_as;  // what a claim through this node reports
  /// Only through this node, in a queue under one lock, can the wait end: no deadline, context or other queue ends it.
  bool alone = false;
  bool try_claim() noexcept { return alone ? owner->claim_alone(claim_as) : owner->claim(claim_as); }
};

using wait_queue = intrusive_list<wait_node>;

/// True on a fiber of some runtime, false on a plain thread.
inline bool on_fiber() noexcept { return current_fiber() != nullptr; }

/// Who calls, so that an operation looks at thread-local storage once. Wrong after a wait.
struct caller {
  fiber* self;         // null on a plain thread
  std::uint32_t bias;  // see biased_lock
};
/// Counts one operation; after a bounded number of them the fiber yields. No lock may be held.
[[gnu::noinline]] caller spend_budget() noexcept;

/// For an operation that never waits and is not counted: in a seeded run another fiber may go on here all the same. No lock may
/// be held.
inline void schedule_point() noexcept {
  if (substituted.load(std::memory_order_relaxed) != nullptr) [[unlikely]] spend_budget();
}

}  // namespace spool::detail
