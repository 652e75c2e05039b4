#include "run_queue.hpp"

#include "pause.hpp"

#include <sched.h>

#include <algorithm>

namespace spool::detail {

void run_queue::stand_back() noexcept {
  do {
    busy_.store(false, std::memory_order_release);
    for (unsigned spins = 0; thief_.load(std::memory_order_acquire); ++spins) {
      if (spins < 200) {
        cpu_pause();
      } else {
        ::sched_yield();  // the thief may have lost its CPU
      }
    }
    busy_.store(true, std::memory_order_relaxed);
    light_fence();
  } while (thief_.load(std::memory_order_acquire));
}

void run_queue::steal(runnable_chain& loot, std::size_t most) noexcept {
  if (robbed_.exchange(true, std::memory_order_acquire)) return;
  thief_.store(true, std::memory_order_relaxed);
  heavy_fence();
  bool inside = false;
  for (unsigned spins = 0; spins < 2000; ++spins) {
    if (!busy_.load(std::memory_order_acquire)) {
      inside = true;
      break;
    }
    cpu_pause();
  }
  if (inside) {
    const std::size_t available = size();
    const std::size_t wanted = std::min((available + 1) / 2, most);
    while (loot.count < wanted) {
      runnable* r = take_head();
      if (r == nullptr) {
        r = next_;
        next_ = nullptr;
      }
      if (r == nullptr) break;
      loot.push_back(r);
    }
    popped_.store(popped_.load(std::memory_order_relaxed) + loot.count, std::memory_order_release);
  }
  thief_.store(false, std::memory_order_release);
  robbed_.store(false, std::memory_order_release);
}

}  // namespace spool::detail
