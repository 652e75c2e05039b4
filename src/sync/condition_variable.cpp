// Lock order: the user's mutex, then mu_. A waiter registers before it gives up the mutex, so a notifier that changed
// the condition under the mutex cannot miss it.
#include <spool/sync/condition_variable.hpp>
#include <spool/sync/detail/claim.hpp>

#include <stdexcept>

namespace spool {

detail::waiter::outcome condition_variable::wait_within(lock_type& lock, detail::wait_limit limit) {
  if (!lock.owns_lock()) {
    throw std::logic_error("spool::condition_variable::wait: the lock is not held; lock it before waiting");
  }
  detail::schedule_point();  // a notification that comes now is lost, as it should be if the lock is no part of it
  detail::waiter self;
  detail::wait_node node(self);
  node.alone = limit.none();
  {
    const std::lock_guard guard(mu_);
    queue_.push_back(node);
  }
  lock.unlock();
  const detail::waiter::outcome how = limit.wait(self, {"condition_variable", this});
  if (how != detail::waiter::done) detail::withdraw(mu_, node);
  lock.lock();
  return how;
}

error condition_variable::check(const context& ctx) {
  const detail::wait_limit limit(ctx);
  return limit.canceled() ? limit.to_error(detail::waiter::canceled) : error();
}

error condition_variable::wait(lock_type& lock, const context& ctx) {
  if (error e = check(ctx)) return e;
  const detail::wait_limit limit(ctx);
  return limit.to_error(wait_within(lock, limit));
}

void condition_variable::notify_one() noexcept {
  detail::wait_node* woken;
  {
    const std::lock_guard guard(mu_);
    woken = detail::claim_first(queue_);
  }
  if (woken != nullptr) woken->owner->wake();
  detail::schedule_point();
}

void condition_variable::notify_all() noexcept {
  detail::wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    detail::claim_all(queue_, woken);
  }
  detail::wake_all(woken);
  detail::schedule_point();
}

}  // namespace spool
