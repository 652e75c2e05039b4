// Runners that wait for a task. Each worker keeps up to two batches to itself, the last used first; further batches go to
// the depot, which all workers of the runtime share. A worker that has rested for a while ends what lies there.
#pragma once

#include "fiber.hpp"
#include "run_queue.hpp"
#include "thread_lock.hpp"

#include <atomic>
#include <mutex>
#include <vector>

namespace spool::detail {

class runner_depot {
 public:
  /// False: no memory to note it; the batch stays the caller's.
  bool give(const runnable_chain& batch) noexcept try {
    const std::lock_guard lock(lock_);
    batches_.push_back(batch);
    batches_kept_.store(batches_.size(), std::memory_order_relaxed);
    return true;
  } catch (...) {
    return false;
  }

  /// A batch, or an empty one.
  runnable_chain take() noexcept {
    if (!any()) return {};
    const std::lock_guard lock(lock_);
    if (batches_.empty()) return {};
    const runnable_chain batch = batches_.back();
    batches_.pop_back();
    batches_kept_.store(batches_.size(), std::memory_order_relaxed);
    return batch;
  }

  bool any() const noexcept { return batches() != 0; }
  std::size_t batches() const noexcept { return batches_kept_.load(std::memory_order_relaxed); }

 private:
  thread_lock lock_;
  std::vector<runnable_chain> batches_;  // guarded by lock_
  std::atomic<std::size_t> batches_kept_{0};
};

/// One worker's own idle runners.
class runner_cache {
 public:
  static constexpr std::size_t batch = 128;

  explicit runner_cache(runner_depot& depot) noexcept : depot_(depot) {}

  /// True: there are so many idle ones that a batch was put aside.
  bool put(fiber& runner) noexcept {
    const bool spilled = hot_.count >= batch && (cold_.first == nullptr || depot_.give(cold_));
    if (spilled) cold_ = std::exchange(hot_, {});
    runner.next = hot_.first;
    hot_.first = &runner;
    ++hot_.count;
    return spilled;
  }

  /// The runner used last, or null.
  fiber* get() noexcept {
    if (hot_.first == nullptr) hot_ = cold_.first != nullptr ? std::exchange(cold_, {}) : depot_.take();
    runnable* const last_used = hot_.pop_front();
    if (hot_.first != nullptr) fetch_runner(hot_.first);
    return static_cast<fiber*>(last_used);
  }

  bool empty() const noexcept { return hot_.first == nullptr && cold_.first == nullptr && !depot_.any(); }

 private:
  runner_depot& depot_;
  runnable_chain hot_;
  runnable_chain cold_;
};

}  // namespace spool::detail
