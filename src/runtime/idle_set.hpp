// Which workers sleep, and who wakes them.
//
// A worker without work searches, then watches or sleeps:
//   searching  counted; looks at the others' queues, twice, a few microseconds apart
//   watching   at most one; naps and looks again while others run, so that a push need not make a system call to be noticed
//   sleeping   in the list; until woken or its next timer
// No wake-up is lost: who sleeps enters the list, issues the heavy fence, then looks at every queue once more; who pushes
// pushes, passes the light fence, then reads `counts_`. One of them sees the other. A push that finds somebody searching
// leaves it at that: a searcher looks again after it has ceased to be counted.
// Both counts are one word, so that each change of either tells both as they were at one moment. Who falls asleep and is told
// that all others sleep or search does without the heavy fence: before any of these pushes again it changes the word
// itself, and then sees who fell asleep before.
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
    if ((counts_.load(std::memory_order_relaxed) & (asleep_bits | full_fences)) != 0) [[unlikely]] look_closer();
  }
  /// After a push from outside, which no running worker notices at once.
  void notice_outside_push() noexcept;
  void wake_all() noexcept;

  void begin_search() noexcept { counts_.fetch_add(one_searching, std::memory_order_seq_cst); }
  /// True: this was the last one that searched.
  bool end_search() noexcept { return searching_in(counts_.fetch_sub(one_searching, std::memory_order_seq_cst)) == 1; }

  bool begin_watch(worker& w) noexcept {
    worker* none = nullptr;
    return watcher_.compare_exchange_strong(none, &w, std::memory_order_seq_cst);
  }
  void end_watch(worker& w) noexcept {
    worker* self = &w;
    watcher_.compare_exchange_strong(self, nullptr, std::memory_order_seq_cst);
  }

  /// `last`: to be woken after all others, because it waits in the reactor. Tells how many sleep or search now, w included.
  std::uint32_t enter(worker& w, bool last) noexcept;
  /// False: a waker has taken w out already, and counted it as searching.
  bool leave(worker& w) noexcept;

  std::uint32_t sleeping() const noexcept { return asleep_in(counts_.load(std::memory_order_seq_cst)); }
  std::uint32_t searching() const noexcept { return searching_in(counts_.load(std::memory_order_seq_cst)); }
  /// Those who sleep, and those who search.
  std::uint32_t idle() const noexcept { return idle_in(counts_.load(std::memory_order_seq_cst)); }

  /// Wakes one sleeper, when nobody searches.
  [[gnu::noinline]] void wake_one() noexcept;

  /// w, a seeded runtime's only worker, counts as asleep for good: its own pushes then come to wake_one, which tells it.
  void tell_of_pushes(worker& w) noexcept {
    told_ = &w;
    counts_.fetch_add(one_asleep, std::memory_order_seq_cst);
  }

 private:
  // counts_: who sleeps, whether fences are full ones (asymmetric_fence.hpp), who searches.
  static constexpr std::uint64_t one_asleep = 1;
  static constexpr std::uint64_t asleep_bits = (1ull << 31) - 1;
  static constexpr std::uint64_t full_fences = 1ull << 31;
  static constexpr std::uint64_t one_searching = 1ull << 32;
  static constexpr std::uint32_t asleep_in(std::uint64_t counts) noexcept {
    return static_cast<std::uint32_t>(counts & asleep_bits);
  }
  static constexpr std::uint32_t searching_in(std::uint64_t counts) noexcept {
    return static_cast<std::uint32_t>(counts >> 32);
  }
  static constexpr std::uint32_t idle_in(std::uint64_t counts) noexcept {
    return asleep_in(counts) + searching_in(counts);
  }

  void look_closer() noexcept {
    const bool fence = (counts_.load(std::memory_order_relaxed) & full_fences) != 0;
    if (fence) std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint64_t counts = counts_.load(std::memory_order_seq_cst);
    if (searching_in(counts) == 0 && asleep_in(counts) != 0) wake_one();
  }
  worker* take_sleeper() noexcept;

  std::atomic<std::uint64_t> counts_{fences_are_asymmetric() ? 0 : full_fences};
  std::atomic<worker*> watcher_{nullptr};
  worker* told_ = nullptr;           // set before there are threads
  thread_lock lock_;
  intrusive_list<worker> sleepers_;  // guarded by lock_; the last to sleep first: its cache is the warmest
};

}  // namespace spool::detail
