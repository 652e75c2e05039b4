#include <spool/runtime/detail/spin_lock.hpp>

#include "pause.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <spool/runtime/this_fiber.hpp>

#include <thread>

namespace spool::detail {

void meet_contention(contention_mark& mark) noexcept {
  if (worker* w = current_worker(); w != nullptr && w->current() != nullptr) w->meet_contention(mark);
}

void spin_lock::lock_contended() noexcept {
  constexpr unsigned spins_between_yields = 64;
  meet_contention(mark_);
  for (unsigned spins = 1;; ++spins) {
    // Reads until it looks free: an exchange per turn would keep the holder's line moving between cores.
    if (!locked_.load(std::memory_order_relaxed) && try_lock()) return;
    if (spins % (2 * spins_between_yields) == 0) {
      // The holder's thread may have been descheduled, and a yielding fiber that is alone on its worker keeps the CPU.
      std::this_thread::yield();
    } else if (spins % spins_between_yields == 0) {
      this_fiber::yield();
    } else {
      cpu_pause();
    }
  }
}

}  // namespace spool::detail
