// Engine behind channel<T> and select: it knows slots and waiters, not T. While mu_ is free:
//   I1 a waiting receiver implies an empty ring      I2 a waiting sender implies a full ring
//   I3 closed_ never turns false again
// Lock order: several channels by ascending address. Waiters are claimed under the lock and woken after unlock, which is
// the last access to the channel: who was woken may destroy it.
//
// A message goes straight from the sender to the waiting receiver, or from the waiting sender to the receiver, under the
// lock. When that move throws, the one who ran it gets the exception and the other is as it was, first in its queue; but
// its claim cannot be taken back (a timer may have given way to it). So its node becomes `stalled`: it is woken to wait
// anew, and until it has done so whoever comes along serves it without a claim and without a second wake().
#pragma once

#include <spool/base/cache_line.hpp>
#include <spool/base/error.hpp>
#include <spool/context/context.hpp>
#include <spool/runtime/detail/biased_lock.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>

namespace spool::detail {

struct channel_node : wait_node {
  enum class state : std::uint8_t {
    waiting,
    done,  // the value has changed hands
    closed,
    failed,   // moving a waiting sender's value into the ring threw: `failure` is the sender's
    stalled,  // see above
  };

  channel_node(waiter& w, void* where, bool assign, waiter::outcome how = waiter::done) noexcept
      : wait_node(w, how), assigns(assign), slot(where) {}

  bool assigns;
  state result = state::waiting;  // written under the lock, before wake() unless has_stalled
  /// The wake() came from a peer whose move threw: what became of it since must be read under the lock. Otherwise who was
  /// woken touches the channel no more: the value has changed hands, and the channel may be gone.
  bool has_stalled = false;
  void* slot;  // a sender's value, T*; a receiver's destination, std::optional<T>*, or T* if `assigns`
  channel_node* next_woken = nullptr;
  std::exception_ptr failure;
};

/// One side's waiters, first come first served. Guarded by the channel's lock, but for size() and empty().
class channel_queue {
 public:
  /// Without the lock: a moment's truth. Includes those that ended otherwise and have not left yet.
  std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  bool empty() const noexcept { return size() == 0; }

  void push_back(channel_node& n) noexcept {
    nodes_.push_back(n);
    count(1);
  }
  void push_front(channel_node& n) noexcept {
    nodes_.push_front(n);
    count(1);
  }
  void erase(channel_node& n) noexcept {
    wait_queue::erase(n);
    count(-1);
  }

  /// The first waiter that could be claimed, or a stalled one; those that ended otherwise are dropped on the way.
  channel_node* pop_claimed() noexcept {
    while (wait_node* first = nodes_.pop_front()) {
      count(-1);
      auto* n = static_cast<channel_node*>(first);
      if (n->has_stalled || n->try_claim()) return n;
    }
    return nullptr;
  }

 private:
  void count(int by) noexcept {
    // Release: who reads without the lock that nobody waits any more sees what was done before, a close for instance.
    size_.store(size_.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(by), std::memory_order_release);
  }

  wait_queue nodes_;
  std::atomic<std::uint32_t> size_{0};
};

/// Adds a claimed node to those to be woken after unlock, unless it was woken before.
inline void finish_node(channel_node& n, channel_node::state result, channel_node*& woken) noexcept {
  n.result = result;
  if (n.has_stalled) return;
  n.has_stalled = result == channel_node::state::stalled;
  n.next_woken = woken;
  woken = &n;
}

/// `waker`: the calling fiber; null on a plain thread.
inline void wake_chain(channel_node* woken, fiber* waker) noexcept {
  while (woken != nullptr) {
    channel_node* next = woken->next_woken;
    woken->owner->wake(waker);
    woken = next;
  }
}

/// Holds a channel's lock; on leaving, also by an exception, unlocks and then wakes.
class channel_section {
 public:
  channel_section(biased_lock& mu, const caller& me) noexcept : mu_(&mu), self_(me.self) { mu.lock(me.bias); }
  channel_section(biased_lock& mu, fiber* self, std::adopt_lock_t) noexcept : mu_(&mu), self_(self) {}
  ~channel_section() {
    if (mu_ == nullptr) return;
    mu_->unlock();
    if (woken != nullptr) wake_chain(woken, self_);
  }
  channel_section(const channel_section&) = delete;
  channel_section& operator=(const channel_section&) = delete;

  /// Leaves the lock to the caller, before anybody was claimed.
  void release() noexcept { mu_ = nullptr; }

  channel_node* woken = nullptr;

 private:
  biased_lock* mu_;
  fiber* self_;
};

/// How long an operation may wait.
struct wait_bounds {
  time_point deadline = time_point::max();
  const context* ctx = nullptr;
  bool none() const noexcept { return ctx == nullptr && deadline == time_point::max(); }
};
inline constexpr wait_bounds unbounded{};

/// What an operation came to under the lock.
enum class channel_step : std::uint8_t { done, closed, blocked };

enum class channel_side : bool { send, recv };

class channel_base {
 public:
  channel_base(const channel_base&) = delete;
  channel_base& operator=(const channel_base&) = delete;

  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  std::size_t size() const noexcept { return count_.load(std::memory_order_relaxed); }
  std::size_t capacity() const noexcept { return capacity_; }
  /// Handles, and cases of selects. A moment's truth.
  std::uint32_t references() const noexcept {
    return handles_.load(std::memory_order_relaxed) + holds_.load(std::memory_order_relaxed);
  }

  /// Without the lock. closed_ is read first: a channel that is full after it was seen open was, at some moment between,
  /// open and full, since close takes nothing out. A capacity of 0 counts as full, then only a receiver helps; with a
  /// capacity, a full ring has no receiver waiting (I1), so that the second read cannot contradict the first.
  bool send_would_block() const noexcept {
    return !closed() && count_.load(std::memory_order_acquire) == capacity_ && receivers_.empty();
  }
  /// Without the lock. closed_ is read last: a channel that is open after it was seen empty was so at that moment (I3).
  bool recv_would_block() const noexcept {
    return count_.load(std::memory_order_acquire) == 0 && senders_.empty() && !closed();
  }

  /// False: it was closed already.
  bool close() noexcept;

  void retain() noexcept { handles_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (handles_.fetch_sub(1, std::memory_order_acq_rel) == 1) outlive_handles();
  }

  /// As retain and release, for who is about to use the channel and comes with a handle: a select's case, which is made for
  /// one operation as a rule. Counted under the lock, which costs the worker that has its bias no locked instruction.
  void hold() noexcept {
    mu_.guard([this] { holds_.store(holds_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); });
  }
  void let_go() noexcept {
    bool last = false;
    mu_.guard([&] {
      const std::uint32_t left = holds_.load(std::memory_order_relaxed) - 1;
      holds_.store(left, std::memory_order_relaxed);
      last = without_handles_ && left == 0;
    });
    if (last) [[unlikely]] manage_(*this, action::destroy);
  }
  /// As let_go, with the lock. False: nothing was done, since the channel might end here, which is not for who has its lock.
  bool let_go_locked() noexcept {
    if (without_handles_) [[unlikely]] return false;
    holds_.store(holds_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    return true;
  }

  /// Counted endpoints. The last sender to leave closes; the last receiver closes and destroys what nobody will receive.
  void join(channel_side side) noexcept { ends(side).fetch_add(1, std::memory_order_relaxed); }
  void leave(channel_side side) noexcept;

  channel_queue& queue(channel_side side) noexcept { return side == channel_side::send ? senders_ : receivers_; }
  biased_lock& lock() noexcept { return mu_; }

 protected:
  enum class action : bool { destroy, discard };
  using manage_fn = void (*)(channel_base&, action) noexcept;

  channel_base(std::uint32_t capacity, manage_fn manage) noexcept : capacity_(capacity), manage_(manage) {}
  ~channel_base() = default;  // abandoned nodes may still be linked

  // They enter with the lock and return without it; `slot` and `assigns` as in channel_node.
  // ok, closed, timeout or canceled; they rethrow what moving a waiting sender's value threw.

  /// Nobody but a peer can end the wait. `what`: see channel_send_wait.
  channel_status wait_alone(fiber* self, channel_queue& mine, const char* what, void* slot, bool assigns);
  channel_status wait_bounded(fiber* self, channel_side side, void* slot, bool assigns, const wait_bounds& bounds);

  biased_lock mu_;
  std::atomic<bool> closed_{false};
  bool without_handles_ = false;  // guarded by mu_: whoever holds it last ends it
  const std::uint32_t capacity_;
  // Each queue leaves room for one number behind it, so that all that an operation looks at lies in 64 bytes.
  [[no_unique_address]] channel_queue receivers_;
  std::uint32_t head_ = 0;  // the ring's oldest value
  [[no_unique_address]] channel_queue senders_;
  std::atomic<std::uint32_t> count_{0};  // values in the ring; written under mu_

 private:
  /// What wait_alone() calls in assembly, hence the name.
  [[gnu::visibility("hidden")]] static channel_status wait_alone_on(channel_base& ch, fiber* self, channel_queue& mine,
                                                                    const char* what, void* slot,
                                                                    bool assigns) asm("spool_channel_wait_alone_on");
  channel_status outcome_of(channel_node& node, waiter::outcome how, channel_side side, const wait_bounds& bounds);
  std::atomic<std::uint32_t>& ends(channel_side side) noexcept {
    return side == channel_side::send ? sender_ends_ : receiver_ends_;
  }

  /// The last handle is gone: ends the channel, or leaves that to the last who holds it.
  [[gnu::noinline]] void outlive_handles() noexcept;

  manage_fn manage_;
  std::atomic<std::uint32_t> handles_{1};
  std::atomic<std::uint32_t> holds_{0};  // written under mu_
  std::atomic<std::uint32_t> sender_ends_{0};
  std::atomic<std::uint32_t> receiver_ends_{0};
};

/// Its address stands for the nil channel; never dereferenced. Of unknown size, so that no compiler reasons about that.
extern std::byte nil_channel_mark[];

/// A counted reference to a channel, or nil, or (moved from) nothing.
class channel_handle {
 public:
  explicit channel_handle(channel_base* adopted) noexcept : base_(adopted) {}
  channel_handle(const channel_handle& other) noexcept : base_(other.base_) {
    if (usable()) base_->retain();
  }
  channel_handle(channel_handle&& other) noexcept : base_(other.base_) { other.base_ = nullptr; }
  channel_handle& operator=(channel_handle other) noexcept {
    channel_base* mine = base_;
    base_ = other.base_;
    other.base_ = mine;
    return *this;
  }
  ~channel_handle() {
    if (usable()) base_->release();
  }

  static channel_base* nil() noexcept { return reinterpret_cast<channel_base*>(nil_channel_mark); }
  bool is_nil() const noexcept { return base_ == nil(); }
  bool usable() const noexcept { return base_ != nullptr && base_ != nil(); }

  /// The channel; null if nil. A moved-from handle: std::logic_error that names the operation.
  channel_base* get(const char* operation) const {
    if (usable()) [[likely]] return base_;
    if (base_ == nullptr) throw_moved_from(operation);
    return nullptr;
  }
  channel_base* base() const noexcept { return base_; }

 private:
  [[noreturn]] static void throw_moved_from(const char* operation);
  channel_base* base_;
};

/// How a context that is done ends an operation: canceled or timeout.
channel_status done_status(const context& ctx);
/// Waits on a nil channel: until the bounds end it, if they do.
channel_status wait_on_nil(channel_side side, const wait_bounds& bounds);
/// operator new, out of sight: a compiler that knew the size would warn of a rendezvous channel's unused ring.
void* allocate_channel(std::size_t bytes, std::align_val_t alignment);
[[noreturn]] void throw_close_of_nil();
[[noreturn]] void throw_bad_capacity(std::size_t capacity);

}  // namespace spool::detail
