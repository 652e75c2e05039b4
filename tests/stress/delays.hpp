// Random delays inside the library. Its scheduler and its waits are compiled a second time for this program, with a
// call at the begin and at the end of each function, inlined ones included: a marked point on both sides of every
// atomic operation. The library itself knows nothing of it.
#pragma once

#include <cstdint>

namespace stress {

/// From now on about one marked point in `rarity` delays its thread; 0: none. A choice of the functions, which is
/// drawn from the seed, does so far more often.
void set_delays(std::uint32_t rarity, std::uint64_t seed) noexcept;

/// Marked points that were passed, and at which a thread was delayed, so far.
struct delay_counts {
  std::uint64_t points;
  std::uint64_t delays;
};
delay_counts delays() noexcept;

/// From now on one in so many calls of a sleeping thread does not reach it: a bug, for the watchdog to find. 0: none.
void lose_wake_ups(std::uint32_t one_in) noexcept;

}  // namespace stress
