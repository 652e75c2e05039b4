#include "idle_set.hpp"

#include "thread_state.hpp"
#include "worker.hpp"

#include <mutex>

namespace spool::detail {

std::uint32_t idle_set::enter(worker& w, bool last) noexcept {
  const std::lock_guard lock(lock_);
  if (last) {
    sleepers_.push_back(w);
  } else {
    sleepers_.push_front(w);
  }
  w.asleep_in_set = true;
  return idle_in(counts_.fetch_add(one_asleep, std::memory_order_seq_cst) + one_asleep);
}

bool idle_set::leave(worker& w) noexcept {
  const std::lock_guard lock(lock_);
  if (!w.asleep_in_set) return false;
  w.asleep_in_set = false;
  sleepers_.erase(w);
  counts_.fetch_sub(one_asleep, std::memory_order_seq_cst);
  return true;
}

worker* idle_set::take_sleeper() noexcept {
  const std::lock_guard lock(lock_);
  worker* w = sleepers_.pop_front();
  if (w == nullptr) return nullptr;
  w->asleep_in_set = false;
  // Counted as searching from here on, so that further pushes do not wake another.
  counts_.fetch_add(one_searching - one_asleep, std::memory_order_seq_cst);
  return w;
}

void idle_set::wake_one() noexcept {
  if (told_ != nullptr && current_worker() == told_) return told_->preempt();
  if (searching() != 0) return;
  if (worker* w = take_sleeper()) w->wake_thread();
}

void idle_set::notice_outside_push() noexcept {
  if (worker* w = watcher_.load(std::memory_order_seq_cst)) {
    end_watch(*w);
    w->wake_thread();
    return;
  }
  wake_one();
}

void idle_set::wake_all() noexcept {
  if (worker* w = watcher_.load(std::memory_order_seq_cst)) w->wake_thread();
  while (worker* w = take_sleeper()) w->wake_thread();
}

}  // namespace spool::detail
