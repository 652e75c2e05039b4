#pragma once

#include "pause.hpp"

#include <spool/runtime/this_fiber.hpp>

#include <thread>

namespace spool::detail {

/// Asks until the answer is true. Whoever is waited for may have been descheduled, or be a fiber that waits for its turn.
template <class F>
void spin_until(F&& answer) noexcept {
  constexpr unsigned spins_between_yields = 64;
  for (unsigned spins = 1; !answer(); ++spins) {
    if (spins % (2 * spins_between_yields) == 0) {
      std::this_thread::yield();  // a yielding fiber that is alone on its worker keeps the CPU
    } else if (spins % spins_between_yields == 0) {
      this_fiber::yield();
    } else {
      cpu_pause();
    }
  }
}

}  // namespace spool::detail
