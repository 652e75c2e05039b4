// Which thread a bias_id stands for. A worker holds one while it exists; there are fewer ids than there may be workers, and
// a worker that got none takes its locks as plain threads do.
#pragma once

#include <spool/runtime/detail/biased_lock.hpp>

namespace spool::detail {

class bias_lease {
 public:
  bias_lease() noexcept;
  ~bias_lease();
  bias_lease(const bias_lease&) = delete;
  bias_lease& operator=(const bias_lease&) = delete;
  bias_id id() const noexcept { return id_; }

 private:
  bias_id id_;
};

/// Whether the calling thread may have a lock's bias as `self`. A withdrawal interrupts every running thread of the process;
/// a worker gets no bias for a millisecond per bias that was withdrawn from it, so that they stay rare whatever its fibers do.
bool may_take_bias(bias_id self) noexcept;
/// By who withdraws it from `owner`.
void note_withdrawal(bias_id owner) noexcept;
/// How often that was, since the process began.
std::uint32_t withdrawals_from(bias_id owner) noexcept;

}  // namespace spool::detail
