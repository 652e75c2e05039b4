#include <spool/runtime/detail/biased_lock.hpp>

#include "bias_lease.hpp"
#include "spin_until.hpp"

namespace spool::detail {

void biased_lock::lock_shared(bias_id self) noexcept {
  if (shared_.exchange(true, std::memory_order_acquire)) {
    meet_contention(mark_);
    spin_until([this] {
      return !shared_.load(std::memory_order_relaxed) && !shared_.exchange(true, std::memory_order_acquire);
    });
  }
  const std::uint8_t last = bias_.load(std::memory_order_relaxed);
  if (last < unbiased) {
    withdraw_bias();
    note_withdrawal(last);
  }
  held_by_owner_ = false;
  if (last != (unbiased | self)) {
    bias_.store(static_cast<std::uint8_t>(unbiased | self), std::memory_order_relaxed);
    taken_alone_ = 0;
  } else if (++taken_alone_ == alone_for_bias) {
    taken_alone_ = 0;
    if ((owner_ == 0 || owner_ == self) && may_take_bias(self)) take_bias(self);
  }
}

void biased_lock::withdraw_bias() noexcept {
  bias_.store(unbiased, std::memory_order_relaxed);
  heavy_fence();
  spin_until([this] { return !owned_.load(std::memory_order_acquire); });
}

/// From now on held by owned_: another fiber of this thread, to which user code may yield, must not get in.
void biased_lock::take_bias(bias_id self) noexcept {
  owner_ = static_cast<std::uint8_t>(self);
  held_by_owner_ = true;
  owned_.store(true, std::memory_order_relaxed);
  bias_.store(static_cast<std::uint8_t>(self), std::memory_order_relaxed);
  shared_.store(false, std::memory_order_release);
}

}  // namespace spool::detail
