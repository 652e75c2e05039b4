// Which workers sleep, and who wakes them.
//
// A worker without work searches, then watches or sleeps:
//   searching  counted; looks at the others' queues, twice, a few microseconds apart
//   watching   at most one; naps and looks again while others run, so that a push need not make a system call to be noticed
//   sleeping   in the list; until woken or its next timer
// No wake-up is lost: who sleeps enters the list, issues the heavy fence, then looks at every queue once more; who pushes
// pushes, passes the light fence, then reads `sleeping_` and `searching_`. One of them sees the other. A push that finds
// somebody searching leaves it at that: a searcher looks again after it has ceased to be counted.
#pragma once

#include <spool/runtime/detail/asymmetric_fence.hpp>
#include "thread_lock.hpp"

#include <spool/base/cache_line.hpp>
#include <spool/base/intrusive_list.hpp>

#include <atomic>
#include <cstdint>

namespace spool::detail {

class worker;

class alignas(cache_line_bytes) idle_set {
 public:
  /// After a push to a worker's own queue. One fence that costs nothing and one load, unless somebody sleeps.
  void notice_local_push() noexcept {
    light_fence();
    if (sleeping_.load(std::memory_order_relaxed) != 0) [[unlikely]] look_closer();
  }
  /// After a push from outside, which no running worker notices at once.
  void notice_outside_push() noexcept;
  void wake_all() noexcept;

  void begin_search() noexcept { searching_.fetch_add(1, std::memory_order_seq_cst); }
  /// True: this was the last one that searched.
  bool end_search() noexcept { return searching_.fetch_sub(1, std::memory_order_seq_cst) == 1; }

  bool begin_watch(worker& w) noexcept {
    worker* none = nullptr;
    return watcher_.compare_exchange_strong(none, &w, std::memory_order_seq_cst);
  }
  void end_watch(worker& w) noexcept {
    worker* self = &w;
    watcher_.compare_exchange_strong(self, nullptr, std::memory_order_seq_cst);
  }

  /// `last`: to be woken after all others, because it waits in the reactor.
  void enter(worker& w, bool last) noexcept;
  /// False: a waker has taken w out already, and counted it as searching.
  bool leave(worker& w) noexcept;

  std::uint32_t sleeping() const noexcept { return sleeping_.load(std::memory_order_seq_cst) & ~full_fences; }
  std::uint32_t searching() const noexcept { return searching_.load(std::memory_order_seq_cst); }

  /// Wakes one sleeper, when nobody searches.
  [[gnu::noinline]] void wake_one() noexcept;

  /// w, a seeded runtime's only worker, counts as asleep for good: its own pushes then come to wake_one, which tells it.
  void tell_of_pushes(worker& w) noexcept {
    told_ = &w;
    sleeping_.fetch_add(1, std::memory_order_seq_cst);
  }

 private:
  static constexpr std::uint32_t full_fences = 1u << 31;  // see asymmetric_fence.hpp

  void look_closer() noexcept {
    const bool fence = (sleeping_.load(std::memory_order_relaxed) & full_fences) != 0;
    if (fence) std::atomic_thread_fence(std::memory_order_seq_cst);
    if (searching_.load(std::memory_order_relaxed) == 0 && sleeping() != 0) wake_one();
  }
  worker* take_sleeper() noexcept;

  std::atomic<std::uint32_t> sleeping_{fences_are_asymmetric() ? 0 : full_fences};
  std::atomic<std::uint32_t> searching_{0};
  std::atomic<worker*> watcher_{nullptr};
  worker* told_ = nullptr;           // set before there are threads
  thread_lock lock_;
  intrusive_list<worker> sleepers_;  // guarded by lock_; the last to sleep first: its cache is the warmest
};

}  // namespace spool::detail
