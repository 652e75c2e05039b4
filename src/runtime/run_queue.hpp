// One worker's FIFO of runnables, with a slot for the one to run next. The owner's operations are plain loads and stores;
// the price is paid by thieves, who come rarely. Items stand in a ring that grows, not in a list: a thief copies a few
// cache lines of pointers and touches none of the items while the owner has to wait.
//
// A biased lock: the owner marks `busy_` around each operation and looks at `thief_`; a thief sets `thief_`, issues the
// heavy fence and waits until `busy_` is clear. The light fence in enter() pairs with it: either the owner sees the thief
// and stands back, or the thief sees the owner busy and waits. Whoever is in has the plain fields to itself; the
// release stores of both flags hand them over.
//
// A heavy fence interrupts every running thread of the process. A queue that is robbed all the time has `full_fences` set in
// thief_: then the owner, who looks there anyway, issues a full fence at each operation, and thieves need no other. Without
// membarrier it is always set. It changes under `robbed_` only. A thief that sets it issues the heavy fence all the same:
// an operation that is under way then has looked before, or sees it; and one that finds it clear issues the heavy fence.
//
// pushed_ and popped_ are written by whoever is in, and read by anybody: how many items there are, and, for a thief that
// looks twice, whether the owner drains them by itself.
#pragma once

#include <spool/runtime/detail/asymmetric_fence.hpp>

#include <spool/base/cache_line.hpp>
#include <spool/runtime/detail/task.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace spool::detail {

/// A singly linked chain of runnables, in order. Not synchronized.
struct runnable_chain {
  runnable* first = nullptr;
  runnable* last = nullptr;
  std::size_t count = 0;

  void push_back(runnable* r) noexcept {
    r->next = nullptr;
    (first == nullptr ? first : last->next) = r;
    last = r;
    ++count;
  }
  runnable* pop_front() noexcept {
    runnable* r = first;
    if (r != nullptr) {
      first = r->next;
      --count;
    }
    return r;
  }
};

/// Into the cache with a runner that is to run soon: its control block lies at the top of its stack, and below it Boost's and
/// the frames through which its wait returns.
inline void fetch_runner(const runnable* r) noexcept {
  constexpr std::ptrdiff_t line = 64;
  const auto* block = reinterpret_cast<const std::byte*>(r);
  for (std::ptrdiff_t i = -14; i < 4; ++i) __builtin_prefetch(block + i * line, 1);
}

/// What a lock-free list held, `last` being what was pushed last.
inline runnable_chain in_order(runnable* last) noexcept {
  runnable_chain chain;
  chain.last = last;
  while (last != nullptr) {
    runnable* before = last->next;
    last->next = chain.first;
    chain.first = last;
    ++chain.count;
    last = before;
  }
  return chain;
}

/// What a thief carries away at once.
struct loot {
  static constexpr std::size_t most = 256;
  std::array<runnable*, most> items;
  std::size_t count = 0;
};

class alignas(cache_line_bytes) run_queue {
 public:
  /// Owner: to the tail.
  void push(runnable* r) noexcept {
    enter();
    append(r);
    count_in(1);
    leave();
  }

  /// Owner: to be run next; what stood there goes to the tail.
  void push_next(runnable* r) noexcept {
    enter();
    if (next_ != nullptr) append(next_);
    next_ = r;
    count_in(1);
    leave();
  }

  /// Owner: all of `chain`, to the tail.
  void push_chain(runnable_chain chain) noexcept {
    const std::size_t count = chain.count;
    if (count == 0) return;
    enter();
    while (runnable* r = chain.pop_front()) append(r);
    count_in(count);
    leave();
  }

  /// Owner: what it stole, but for the first item, to the tail.
  void push_all_but_first(const loot& stolen) noexcept {
    enter();
    for (std::size_t i = 1; i < stolen.count; ++i) append(stolen.items[i]);
    count_in(stolen.count - 1);
    leave();
  }

  /// Owner: the next item, or null.
  runnable* pop() noexcept {
    enter();
    runnable* r = take();
    if (r != nullptr) count_out(1);
    leave();
    return r;
  }

  /// Owner: while on, tasks that have not begun are taken newest first, see take_newest().
  void take_newest_first(bool on) noexcept { newest_first_ = on; }

  /// Thief: takes the older half. One thief at a time per queue; gives up when the owner's thread seems to have been
  /// descheduled inside an operation.
  void steal(loot& taken) noexcept;

  std::uint64_t pushed() const noexcept { return pushed_.load(std::memory_order_relaxed); }
  std::uint64_t popped() const noexcept { return popped_.load(std::memory_order_relaxed); }
  /// Never too small while the queue is at rest; read popped first, or a pop in between makes it wrap.
  std::size_t size() const noexcept {
    const std::uint64_t out = popped_.load(std::memory_order_acquire);
    return static_cast<std::size_t>(pushed_.load(std::memory_order_acquire) - out);
  }
  bool empty() const noexcept { return size() == 0; }
  /// Of the owner, at each operation. A moment's truth, for tests.
  bool issues_full_fences() const noexcept { return (thief_.load(std::memory_order_relaxed) & full_fences) != 0; }

 private:
  static constexpr std::uint8_t at_work = 1;      // bits of thief_
  static constexpr std::uint8_t full_fences = 2;

  // Items that the owner takes between two thefts. Measured, see docs/adr/0001: with 128 small tasks became dearer.
  static constexpr std::uint64_t often_robbed = 32;
  static constexpr std::uint64_t seldom_robbed = 512;
  static constexpr unsigned fenced_before_reconsidering = 256;

  static constexpr std::size_t crowd = 32;  // so many stacks in use are more than the first-level cache holds

  // Items taken from the `next_` slot in a row; then the head has its turn, so that two fibers that wake each other
  // cannot keep the others waiting.
  static constexpr unsigned next_uses_limit = 64;
  // Likewise for tasks that are taken newest first: one in so many is the oldest.
  static constexpr unsigned newest_uses_limit = 1024;
  static constexpr std::size_t most_behind = 16;  // fibers behind the newest task; with more it is first come first served

  void append(runnable* r) noexcept {
    if (tail_ - head_ == capacity_ || overflow_.first != nullptr) [[unlikely]] {
      append_slowly(r);
      return;
    }
    ring_[tail_++ & (capacity_ - 1)] = r;
  }

  runnable* take_head() noexcept {
    if (head_ == tail_) return overflow_.pop_front();
    return ring_[head_++ & (capacity_ - 1)];
  }

  runnable* take() noexcept {
    if (next_ != nullptr && (next_uses_ < next_uses_limit || head_ == tail_)) {
      ++next_uses_;
      runnable* r = next_;
      next_ = nullptr;
      return r;
    }
    next_uses_ = 0;
    if (newest_first_) [[unlikely]] {
      if (runnable* r = take_newest()) return r;
    }
    runnable* const oldest = take_head();
    if (tail_ - head_ >= crowd && oldest->what == runnable::kind::fiber) [[unlikely]] fetch_ahead();
    return oldest;
  }

  /// The newest task, or a fiber behind it, unless a fiber is the oldest. Beginning what was started last ends what began
  /// before: of a tree of fibers that wait for their children one branch has stacks at a time, and not a whole level.
  [[gnu::noinline]] runnable* take_newest() noexcept;
  [[gnu::noinline]] void fetch_ahead() noexcept;

  void enter() noexcept {
    busy_.store(true, std::memory_order_relaxed);
    light_fence();
    if (thief_.load(std::memory_order_acquire) != 0) [[unlikely]] stand_back();
  }
  void leave() noexcept { busy_.store(false, std::memory_order_release); }
  void count_in(std::uint64_t items) noexcept {
    pushed_.store(pushed_.load(std::memory_order_relaxed) + items, std::memory_order_release);
  }
  void count_out(std::uint64_t items) noexcept {
    popped_.store(popped_.load(std::memory_order_relaxed) + items, std::memory_order_release);
  }
  bool thief_seen() const noexcept { return (thief_.load(std::memory_order_acquire) & at_work) != 0; }
  [[gnu::noinline]] void stand_back() noexcept;
  void begin_theft() noexcept;
  void end_theft() noexcept;
  void reconsider_fences() noexcept;
  [[gnu::noinline]] void append_slowly(runnable* r) noexcept;

  std::atomic<bool> busy_{false};
  std::atomic<std::uint8_t> thief_{fences_are_asymmetric() ? std::uint8_t{0} : full_fences};
  bool newest_first_ = false;  // the owner's alone, as the next three
  unsigned newest_uses_ = 0;
  unsigned fenced_operations_ = 0;
  unsigned next_uses_ = 0;
  runnable* next_ = nullptr;
  std::unique_ptr<runnable*[]> ring_;
  std::size_t capacity_ = 0;  // of the ring; 0 or a power of two
  std::size_t head_ = 0;      // both grow without end; the ring index is their remainder
  std::size_t tail_ = 0;
  runnable_chain overflow_;   // behind the ring, when no memory was to be had for a larger one
  std::atomic<std::uint64_t> pushed_{0};
  std::atomic<std::uint64_t> popped_{0};
  std::atomic<bool> robbed_{false};  // taken by the thief that is at work; keeps the others off
  std::uint64_t popped_at_theft_ = 0;  // guarded by robbed_: what popped_ was after the last
};

}  // namespace spool::detail
