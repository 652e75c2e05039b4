// A store-load fence whose cost falls on one side. The side that runs often calls light_fence(), which compiles to nothing;
// the rare side calls heavy_fence(), a membarrier(2) that runs a full fence on every thread of the process.
// light; store A; load B  against  store B; heavy; load A: at least one of them sees the other's store.
// Without membarrier (old kernels, some sandboxes) both have to be full fences. So as not to ask each time, the often
// running side keeps the answer in the word B that it looks at anyway, as a bit that sends it where the full fence is.
#pragma once

#include <atomic>

namespace spool::detail {

/// False: there is no membarrier, and light_fence() is not enough. The same for the whole life of the process.
bool fences_are_asymmetric() noexcept;

inline void light_fence() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}
void heavy_fence() noexcept;

}  // namespace spool::detail
