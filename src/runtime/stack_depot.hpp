// Memory for fiber stacks: slabs of equal stacks, each above a guard, kept for the life of the process and used again by
// later runtimes. Touched pages of a stack that comes back are returned to the kernel. A slab is address space only; guards
// are set for many stacks at once, when they are first taken, outside the lock.
//
// Guards: MADV_GUARD_INSTALL (Linux 6.13+: no mapping per guard), else mprotect, whose every guard splits a mapping
// (vm.max_map_count bounds them). A guard that cannot be set is never passed over: its stack is not handed out.
// SPOOL_STACK_GUARDS=auto|madvise|mprotect|none chooses; what the kernel cannot do becomes mprotect.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace spool::detail {

enum class guard_mode : std::uint8_t { none, madvise, mprotect };

/// Memory between `low` and `low + bytes`; below `low` lies the guard.
struct stack_memory {
  std::byte* low = nullptr;
  std::size_t bytes = 0;
  unsigned color = 0;  // spreads hot frames over the L1 sets
  explicit operator bool() const noexcept { return low != nullptr; }
};

class stack_depot {
 public:
  static constexpr std::size_t guard_bytes = 64 * 1024;
  static constexpr std::size_t most_at_once = 64;

  /// The depot for stacks of `stack_bytes`, rounded up to whole pages. Lives as long as the process.
  static stack_depot& of_size(std::size_t stack_bytes);

  /// Fills `wanted` from its front and returns how many it got: fewer when memory or guards have run out (logged once).
  /// Not more than most_at_once are asked for.
  std::size_t take(std::span<stack_memory> wanted) noexcept;
  void give_back(stack_memory stack) noexcept;

  std::size_t stack_bytes() const noexcept { return stack_bytes_; }

  /// Bytes of the stack from its top to the lowest page that was touched. Asks the kernel.
  static std::size_t touched(const stack_memory& stack) noexcept;
  /// The most that was touched of a stack that was given back since the first call.
  std::size_t watch_high_water() noexcept;

  struct location {
    bool in_guard = false;
    stack_memory stack;
  };
  /// Which stack, or whose guard, `address` lies in. Async-signal-safe. Relaxed is enough for a stack that the caller runs on,
  /// or ran out of.
  static location find(const void* address, std::memory_order order = std::memory_order_acquire) noexcept;
  /// True when the page below the stack cannot be touched; asks the kernel. For tests.
  static bool guarded(const stack_memory& stack) noexcept;

 private:
  struct slab;
  explicit stack_depot(std::size_t stack_bytes) noexcept : stack_bytes_(stack_bytes) {}
  bool add_slab() noexcept;
  void report_exhausted(const char* what) noexcept;

  const std::size_t stack_bytes_;
  std::mutex mutex_;                        // guards all below
  std::vector<stack_memory> free_;          // guarded; LIFO: the warmest last
  std::vector<stack_memory> unguarded_;     // their guard was refused; it is tried again
  const slab* fresh_ = nullptr;             // its stacks from fresh_used_ on were never taken
  std::size_t fresh_used_ = 0;
  std::size_t next_slab_stacks_ = 64;
  bool reported_ = false;
  bool watched_ = false;                    // high_water_ is kept
  std::size_t high_water_ = 0;
};

/// One worker's own stacks for runners to come. It takes more at a time the more it is asked for.
class stack_cache {
 public:
  explicit stack_cache(stack_depot& depot) noexcept : depot_(depot) {}
  ~stack_cache() {
    while (count_ > 0) depot_.give_back(stacks_[--count_]);
  }
  stack_cache(const stack_cache&) = delete;
  stack_cache& operator=(const stack_cache&) = delete;

  /// A stack, or an empty one when there is none to be had.
  stack_memory take() noexcept {
    if (count_ == 0) {
      count_ = depot_.take(std::span(stacks_).first(batch_));
      if (count_ == 0) return {};
      batch_ = std::min(batch_ * 2, stacks_.size());
    }
    return stacks_[--count_];
  }

 private:
  stack_depot& depot_;
  std::array<stack_memory, stack_depot::most_at_once> stacks_;
  std::size_t count_ = 0;
  std::size_t batch_ = 1;
};

}  // namespace spool::detail
