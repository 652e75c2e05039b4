// A spin lock for the runtime's own short sections, in which no user code runs: unlike spin_lock it never switches fibers,
// so the scheduler may take it anywhere.
#pragma once

#include "pause.hpp"

#include <sched.h>

#include <atomic>

namespace spool::detail {

class thread_lock {
 public:
  void lock() noexcept {
    for (unsigned spins = 0; locked_.exchange(true, std::memory_order_acquire); ++spins) {
      if (spins < 100) {
        cpu_pause();
      } else {
        ::sched_yield();  // the holder may have lost its CPU
      }
    }
  }
  void unlock() noexcept { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_{false};
};

}  // namespace spool::detail
