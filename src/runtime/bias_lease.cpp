#include "bias_lease.hpp"

#include "thread_state.hpp"
#include "worker.hpp"

#include <array>
#include <atomic>
#include <bitset>
#include <mutex>

namespace spool::detail {
namespace {

// An id that comes back is used again: its last holder's thread has ended, and the mutex hands over what it did.
constinit std::mutex ids_mutex;
constinit std::bitset<most_bias_ids + 1> ids_taken{1};  // guarded by ids_mutex; 0 stands for none
constinit std::array<std::atomic<std::uint32_t>, most_bias_ids + 1> withdrawals{};

}  // namespace

bias_lease::bias_lease() noexcept : id_(0) {
  const std::lock_guard lock(ids_mutex);
  for (bias_id id = 1; id <= most_bias_ids; ++id) {
    if (ids_taken[id]) continue;
    ids_taken[id] = true;
    id_ = id;
    return;
  }
}

bias_lease::~bias_lease() {
  const std::lock_guard lock(ids_mutex);
  if (id_ != 0) ids_taken[id_] = false;
}

void note_withdrawal(bias_id owner) noexcept { withdrawals[owner].fetch_add(1, std::memory_order_relaxed); }

std::uint32_t withdrawals_from(bias_id owner) noexcept { return withdrawals[owner].load(std::memory_order_relaxed); }

bool may_take_bias(bias_id self) noexcept {
  worker* w = current_worker();
  return w != nullptr && self != 0 && w->bias.id() == self && w->may_take_bias();
}

}  // namespace spool::detail
