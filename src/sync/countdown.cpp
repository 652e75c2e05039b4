#include <spool/sync/detail/claim.hpp>
#include <spool/sync/detail/countdown.hpp>

#include <limits>
#include <stdexcept>

namespace spool::detail {

void countdown::add(std::ptrdiff_t n, const char* misuse) {
  std::ptrdiff_t count = count_.load(std::memory_order_relaxed);
  for (;;) {
    if (n > 0 ? count > std::numeric_limits<std::ptrdiff_t>::max() - n : count + n < 0) throw std::logic_error(misuse);
    if (count + n == 0 && n != 0) break;
    // Release: what a task did before it counted down is seen by who waits, whoever makes the last step.
    if (count_.compare_exchange_weak(count, count + n, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return schedule_point();
    }
  }

  wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    do {
      if (count + n < 0) throw std::logic_error(misuse);
    } while (!count_.compare_exchange_weak(count, count + n, std::memory_order_acq_rel, std::memory_order_relaxed));
    if (count + n == 0) claim_all(queue_, woken);
  }
  wake_all(woken);
  schedule_point();
}

waiter::outcome countdown::wait(wait_limit limit, const char* what) {
  if (limit.canceled()) return waiter::canceled;
  mu_.lock();
  if (count_.load(std::memory_order_acquire) == 0) {
    mu_.unlock();
    spend_budget();
    return waiter::done;
  }
  waiter self;
  wait_node node(self);
  node.alone = limit.none();
  queue_.push_back(node);
  mu_.unlock();
  const waiter::outcome how = limit.wait(self, {what, this});
  if (how != waiter::done) withdraw(mu_, node);
  return how;
}

bool countdown::is_zero() noexcept {
  const std::lock_guard guard(mu_);
  return count_.load(std::memory_order_acquire) == 0;
}

}  // namespace spool::detail
