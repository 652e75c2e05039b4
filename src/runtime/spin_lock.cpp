#include <spool/runtime/detail/spin_lock.hpp>

#include "spin_until.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

namespace spool::detail {

void meet_contention(contention_mark& mark) noexcept {
  if (worker* w = current_worker(); w != nullptr && w->current() != nullptr) w->meet_contention(mark);
}

void spin_lock::lock_contended() noexcept {
  meet_contention(mark_);
  // Reads until it looks free: an exchange per turn would keep the holder's line moving between cores.
  spin_until([this] { return !locked_.load(std::memory_order_relaxed) && try_lock(); });
}

}  // namespace spool::detail
