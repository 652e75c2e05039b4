#include "random_bits.hpp"

#include <spool/base/substitutes.hpp>

#include <atomic>

namespace spool::detail {
namespace {

struct alignas(64) source {
  std::atomic<std::uint64_t> state{0};
};

}  // namespace

// Not per thread: the address of what is must not be cached across a fiber's switch of threads. Instead the stack picks
// one of several sources, so that threads at work at the same time seldom share one. A lost update only repeats a number.
std::uint64_t random_bits() noexcept {
  if (const std::uint64_t seeded = seeded_bits(); seeded != 0) [[unlikely]] return seeded;
  static constinit source sources[64];
  const auto stack = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const std::uint64_t place = (stack >> 12) * 0x9e3779b97f4a7c15u;
  std::atomic<std::uint64_t>& state = sources[place >> 58].state;
  const std::uint64_t next = state.load(std::memory_order_relaxed) + 0x9e3779b97f4a7c15u;
  state.store(next, std::memory_order_relaxed);
  // splitmix64
  std::uint64_t z = next ^ place;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return z != 0 ? z : 1;
}

}  // namespace spool::detail
