// What stands in for the machine's time and chance on the thread of a seeded runtime (see runtime/detail/seeded.hpp).
// Looked up through one pointer, null while the process has no such runtime.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace spool::detail {

struct substitutes {
  /// On a thread of a seeded runtime its virtual time, on any other the steady clock's.
  std::chrono::steady_clock::time_point (*now)() noexcept;
  /// The next 64 bits of the seed's; 0 on any other thread.
  std::uint64_t (*random_bits)() noexcept;
  /// While the sum of `change` is positive the calling fiber is not preempted where it wakes others.
  void (*hold_preemption)(int change) noexcept;
};

extern constinit std::atomic<const substitutes*> substituted;

/// 0: nobody asked for seeded chance here, draw it elsewhere.
inline std::uint64_t seeded_bits() noexcept {
  const substitutes* s = substituted.load(std::memory_order_acquire);
  return s == nullptr ? 0 : s->random_bits();
}

/// For sections that hold a lock for which others spin without ever yielding their fiber.
class [[nodiscard]] preemption_hold {
 public:
  preemption_hold() noexcept : held_(substituted.load(std::memory_order_acquire)) {
    if (held_ != nullptr) held_->hold_preemption(+1);
  }
  ~preemption_hold() {
    if (held_ != nullptr) held_->hold_preemption(-1);
  }
  preemption_hold(const preemption_hold&) = delete;
  preemption_hold& operator=(const preemption_hold&) = delete;

 private:
  const substitutes* held_;
};

}  // namespace spool::detail
