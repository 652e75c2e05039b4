// A store-load fence whose cost falls on one side. The side that runs often calls light_fence(), which compiles to nothing;
// the rare side calls heavy_fence(), a membarrier(2) that runs a full fence on every thread of the process.
// light; store A; load B  against  store B; heavy; load A: at least one of them sees the other's store.
// Without membarrier (old kernels, some sandboxes) both are full fences.
#pragma once

#include <atomic>

namespace spool::detail {

extern std::atomic<bool> light_fence_is_full;

inline void light_fence() noexcept {
  if (light_fence_is_full.load(std::memory_order_relaxed)) [[unlikely]] {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

void heavy_fence() noexcept;

/// Registers the process with the kernel; before the first light_fence().
void prepare_fences() noexcept;

}  // namespace spool::detail
