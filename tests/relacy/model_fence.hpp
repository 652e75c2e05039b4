// A membarrier is taken at its word: in the model the light fence and the heavy one are full fences both.
#pragma once

#include "model_std.hpp"

namespace model_std {
inline void atomic_signal_fence(memory_order order) { model_std::atomic_thread_fence(order); }
}  // namespace model_std

namespace spool::detail {
namespace std = ::model_std;
}
#include <spool/runtime/detail/asymmetric_fence.hpp>

namespace spool::detail {
bool fences_are_asymmetric() noexcept { return true; }
void heavy_fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
}  // namespace spool::detail
