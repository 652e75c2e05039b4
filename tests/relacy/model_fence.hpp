// The light fence is nothing, as in the library. The heavy one is a membarrier: at one moment a full fence on every thread.
#pragma once

#include "model_std.hpp"

namespace model_std {
inline void atomic_signal_fence(memory_order) {}
}  // namespace model_std

namespace spool::detail {
namespace std = ::model_std;
}
#include <spool/runtime/detail/asymmetric_fence.hpp>

namespace spool::detail {
bool fences_are_asymmetric() noexcept { return true; }
void heavy_fence() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // where others may be before it
  rl::systemwide_fence(RL_INFO);
}
}  // namespace spool::detail
