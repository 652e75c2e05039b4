// A heap of timers with a lock of its own: one per worker, and one for plain threads. Queues are never freed but used
// again by later runtimes, so that a node may always follow its `queue` pointer to a lock.
#pragma once

#include "thread_lock.hpp"

#include <spool/base/cache_line.hpp>
#include <spool/runtime/detail/timer_node.hpp>

#include <atomic>
#include <vector>

namespace spool::detail {

class alignas(cache_line_bytes) timer_queue {
 public:
  /// A queue that nobody uses; lives as long as the process.
  static timer_queue& acquire();
  /// Hands the queue back for reuse. Timers still armed move to `heir`. Without memory for them: std::bad_alloc, and all
  /// is as it was.
  static void release(timer_queue& queue, timer_queue& heir);

  /// True: `node` is now the earliest.
  bool arm(timer_node& node, time_point when);
  /// Fires what is due at `now`. Any thread.
  void fire_due(time_point now) noexcept;
  /// Fires one of those that are due first; `chance` says which.
  void fire_one(std::uint64_t chance) noexcept;
  /// Disarms all, and tells those that are fired without the lock.
  void forget() noexcept;
  /// When the earliest timer is due; max() without one. A relaxed read that a caller may poll.
  time_point next_deadline() const noexcept { return time_point(clock::duration(next_.load(std::memory_order_relaxed))); }
  bool empty() const noexcept { return next_deadline() == time_point::max(); }

 private:
  friend bool cancel_timer(timer_node& node) noexcept;
  struct entry {
    time_point when;
    timer_node* node;
  };
  void place(std::size_t i, entry e) noexcept;
  void sift_up(std::size_t i, entry e) noexcept;
  void sift_down(std::size_t i, entry e) noexcept;
  void remove(timer_node& node) noexcept;
  void fire_and_unlock(timer_node& node) noexcept;
  void publish_next() noexcept;

  thread_lock lock_;
  std::vector<entry> heap_;  // 4-ary; guarded by lock_
  std::atomic<clock::rep> next_{time_point::max().time_since_epoch().count()};
};

}  // namespace spool::detail
