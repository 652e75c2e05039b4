// runtime_tie: a way to a runtime that may have ended.
#pragma once

#include "spin_on_thread.hpp"

#include "runtime/task_cache.hpp"

#include <memory>

namespace spool::detail {

/// Destroys a closure that nobody will run.
inline void drop_task(task* t) noexcept {
  t->discard();
  task_cache::give_back(t);
}

/// Shared by a runtime and by those who may want to start a fiber on it later.
class runtime_tie {
 public:
  void bind(scheduler& s) noexcept {
    const thread_guard guard(lock_);
    scheduler_ = &s;
  }
  /// By the runtime, before its scheduler goes.
  void cut() noexcept {
    const thread_guard guard(lock_);
    scheduler_ = nullptr;
  }
  /// Starts a fiber for f, or drops it when the runtime is gone. Takes ownership.
  void spawn_or_drop(task* f) noexcept {
    {
      // Under the lock, or the scheduler might go in between; spawn never waits.
      const preemption_hold unpreempted;
      const thread_guard guard(lock_);
      if (scheduler_ != nullptr) return spawn(*scheduler_, f);
    }
    drop_task(f);
  }

 private:
  spin_lock lock_;  // innermost
  scheduler* scheduler_ = nullptr;
};

/// The tie of s; in runtime_root.cpp.
std::shared_ptr<runtime_tie> tie_of(scheduler& s);

}  // namespace spool::detail
