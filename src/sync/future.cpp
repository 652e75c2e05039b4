#include <spool/sync/detail/claim.hpp>
#include <spool/sync/future.hpp>

#include "base/log.hpp"

#include <mutex>
#include <stdexcept>

namespace spool::detail {

static_assert(sizeof(future_state_base) <= future_head_bytes);

bool future_state_base::add_waiter(wait_node& node) noexcept {
  const std::lock_guard guard(mu_);
  // Relaxed: ready_ is stored under mu_.
  if (ready_.load(std::memory_order_relaxed)) return false;
  waiters_.push_back(node);
  return true;
}

void future_state_base::remove_waiter(wait_node& node) noexcept {
  withdraw(mu_, node);
}

void future_state_base::publish() noexcept {
  wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    ready_.store(true, std::memory_order_release);
    claim_all(waiters_, woken);
  }
  wake_all(woken);
}

waiter::outcome future_state_base::await(wait_limit limit) {
  if (limit.canceled()) return waiter::canceled;
  if (ready()) {
    spend_budget();
    return waiter::done;
  }
  const waiting around(*this);
  waiter self;
  wait_node node(self);
  node.alone = limit.none();
  if (!add_waiter(node)) return waiter::done;
  const waiter::outcome how = limit.wait(self, {"future", this},
                                          hook_ == nullptr ? waiter::needs::future : waiter::needs::unknown);
  if (how != waiter::done) remove_waiter(node);
  return how;
}

void throw_no_state() {
  throw std::logic_error("spool::future has no state: it was moved from, default-constructed or its result was taken");
}

void log_untaken(const std::exception_ptr& exception) noexcept {
  try {
    log()->error("spool: nobody took the exception of a future: {}", error(exception).message());
  } catch (...) {  // no memory for the message; the exception is lost either way
  }
}

}  // namespace spool::detail
