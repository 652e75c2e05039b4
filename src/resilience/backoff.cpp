#include "backoff.hpp"

#include <spool/base/substitutes.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>

namespace spool::detail {

std::chrono::nanoseconds jittered(double d, double jitter, std::chrono::nanoseconds max, double where) noexcept {
  const double most = static_cast<double>(max.count());
  const double low = d * (1 - jitter);
  const double high = std::min(d * (1 + jitter), most);
  const double drawn = low + where * (high - low);
  // max() as a double is one more than an int64 holds.
  if (!(drawn < most)) return max;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(drawn));
}

double grown(double d, double multiplier, std::chrono::nanoseconds max) noexcept {
  return std::min(d * multiplier, static_cast<double>(max.count()));  // infinity is cut, too
}

double random_unit() noexcept {
  if (const std::uint64_t seeded = seeded_bits(); seeded != 0) return static_cast<double>(seeded >> 11) * 0x1p-53;
  // Seeded by the operating system: the processes of a fleet that lost the same server must not come back in step.
  static std::atomic<std::uint64_t> state = [] {
    try {
      std::random_device source;
      return (std::uint64_t{source()} << 32) ^ source();
    } catch (...) {
      return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    }
  }();
  // splitmix64
  std::uint64_t z = state.fetch_add(0x9e3779b97f4a7c15u, std::memory_order_relaxed);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

}  // namespace spool::detail
