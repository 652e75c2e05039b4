// What the detector knows about threads: how many are spool's own, and how many others are blocked in a wait of spool's
// that only somebody else can end.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace spool::detail {

struct thread_census {
  static std::atomic<std::int64_t> own;      // workers, monitors, helper threads, the timer thread
  static std::atomic<std::int64_t> blocked;  // plain threads inside waiter::wait without a deadline
  static std::atomic<std::int64_t> outside_sources;
  static std::atomic<std::int64_t> firing;   // threads that fire timers and are no workers
  /// Threads of this process; 0 when that cannot be told.
  static std::size_t all() noexcept;
  /// ThreadSanitizer has a thread of its own, which wakes nobody, from just before the first that the program starts.
  static constexpr std::size_t without_sanitizers(std::size_t threads) noexcept {
#ifdef BOOST_USE_TSAN
    return threads > 1 ? threads - 1 : threads;
#else
    return threads;
#endif
  }
};

/// Counts the calling thread as spool's own while it lives.
class own_thread {
 public:
  own_thread() noexcept { thread_census::own.fetch_add(1, std::memory_order_seq_cst); }
  ~own_thread() { thread_census::own.fetch_sub(1, std::memory_order_seq_cst); }
  own_thread(const own_thread&) = delete;
  own_thread& operator=(const own_thread&) = delete;
};

/// Counts the calling thread as one that fires timers while it lives: a timer that has left its queue may be about to
/// wake somebody. The detector looks at the queues, then at the count; with both fences it sees one or the other.
class firing_thread {
 public:
  firing_thread() noexcept {
    thread_census::firing.fetch_add(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  ~firing_thread() { thread_census::firing.fetch_sub(1, std::memory_order_seq_cst); }
  firing_thread(const firing_thread&) = delete;
  firing_thread& operator=(const firing_thread&) = delete;
};

}  // namespace spool::detail
