// Memory for fiber stacks: slabs of equal stacks, each above a guard, kept for the life of the process and used again by
// later runtimes. Touched pages of a stack that comes back are returned to the kernel.
//
// Guards: MADV_GUARD_INSTALL (Linux 6.13+: no mapping per guard), else mprotect, whose every guard splits a mapping
// (vm.max_map_count bounds them). A guard that cannot be set is never passed over: its stack is not handed out.
// SPOOL_STACK_GUARDS=auto|mprotect|none chooses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace spool::detail {

enum class guard_mode : std::uint8_t { none, madvise, mprotect };

/// Memory between `low` and `low + bytes`; below `low` lies the guard.
struct stack_memory {
  std::byte* low = nullptr;
  std::size_t bytes = 0;
  unsigned color = 0;  // 0..15; spreads hot frames over the L1 sets
  explicit operator bool() const noexcept { return low != nullptr; }
};

class stack_depot {
 public:
  static constexpr std::size_t guard_bytes = 64 * 1024;

  /// The depot for stacks of `stack_bytes`, rounded up to whole pages. Lives as long as the process.
  static stack_depot& of_size(std::size_t stack_bytes);

  /// A stack, or an empty one when memory or guards have run out (logged once).
  stack_memory take() noexcept;
  void give_back(stack_memory stack) noexcept;

  std::size_t stack_bytes() const noexcept { return stack_bytes_; }

  struct location {
    bool in_guard = false;
    stack_memory stack;
  };
  /// Which stack, or whose guard, `address` lies in. Async-signal-safe.
  static location find(const void* address) noexcept;
  /// True when the page below the stack cannot be touched; asks the kernel. For tests.
  static bool guarded(const stack_memory& stack) noexcept;

 private:
  struct slab;
  explicit stack_depot(std::size_t stack_bytes) noexcept : stack_bytes_(stack_bytes) {}
  bool add_slab() noexcept;
  std::size_t guard_all(std::byte* base, std::size_t count) noexcept;
  void report_exhausted(const char* what) noexcept;

  const std::size_t stack_bytes_;
  std::mutex mutex_;
  std::vector<stack_memory> free_;          // LIFO: the warmest last
  std::size_t next_slab_stacks_ = 16;
  bool reported_ = false;
};

}  // namespace spool::detail
