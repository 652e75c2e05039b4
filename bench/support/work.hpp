// Work of a given time: a loop without memory or branches, counted against the clock once. The rivals in other languages
// have the same loop.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace bench {

[[gnu::noinline]] inline void spin(std::int64_t rounds) {
  auto x = static_cast<std::uint64_t>(rounds) | 1;
  for (std::int64_t i = 0; i < rounds; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  asm volatile("" : : "r"(x));  // computed, though nobody uses it
}

// How many rounds take so long. The shortest of several trials: what another process took is not the loop's.
inline std::int64_t rounds_in(std::chrono::nanoseconds duration) {
  static const double rounds_per_ns = [] {
    constexpr std::int64_t trial = 1'000'000;
    auto best = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 10; ++i) {
      const auto start = std::chrono::steady_clock::now();
      spin(trial);
      best = std::min(best, std::chrono::steady_clock::now() - start);
    }
    return static_cast<double>(trial) / std::chrono::duration<double, std::nano>(best).count();
  }();
  return static_cast<std::int64_t>(rounds_per_ns * static_cast<double>(duration.count()));
}

}  // namespace bench
