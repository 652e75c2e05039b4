// While mu_ is free:
//   I1 writing_ excludes readers > 0
//   I2 a waiting writer implies writing_ or readers > 0       I3 a waiting reader implies writing_ or a waiting writer
// Locks are handed over: who is woken owns the lock already. All state is behind mu_, which costs the uncontended paths
// one atomic exchange, as a lock-free counter would, and makes "destroyed while unlock still runs" hold by itself.
#include <spool/sync/detail/claim.hpp>
#include <spool/sync/shared_mutex.hpp>

#include <stdexcept>

namespace spool {

bool shared_mutex::take_locked(const detail::fiber* self) noexcept {
  if (writing_ || holders_.readers != 0) return false;
  writing_ = true;
  holders_.writer = self;
  return true;
}

bool shared_mutex::take_shared_locked(const detail::fiber* self) noexcept {
  if (writing_ || detail::has_waiter(writers_)) return false;
  holders_.add_reader(self);
  return true;
}

void shared_mutex::admit_readers(detail::wait_queue& woken) noexcept {
  while (detail::wait_node* node = detail::claim_first(readers_)) {
    holders_.add_reader(node->owner->who());
    woken.push_back(*node);
  }
}

void shared_mutex::admit_writer(detail::wait_queue& woken) noexcept {
  detail::wait_node* const node = detail::claim_first(writers_);
  if (node == nullptr) return;
  writing_ = true;
  holders_.writer = node->owner->who();
  woken.push_back(*node);
}

bool shared_mutex::try_lock() {
  const detail::fiber* self = detail::spend_budget().self;
  const std::lock_guard guard(mu_);
  return take_locked(self);
}

bool shared_mutex::try_lock_shared() {
  const detail::fiber* self = detail::spend_budget().self;
  const std::lock_guard guard(mu_);
  return take_shared_locked(self);
}

detail::waiter::outcome shared_mutex::lock_within(detail::wait_limit limit) {
  detail::fiber* const caller = detail::spend_budget().self;
  if (limit.canceled()) return detail::waiter::canceled;
  mu_.lock();
  if (take_locked(caller)) {
    mu_.unlock();
    return detail::waiter::done;
  }
  detail::waiter self(caller);
  detail::wait_node node(self);
  node.alone = limit.none();
  writers_.push_back(node);
  mu_.unlock();
  const detail::waiter::outcome how = limit.wait(self, {detail::shared_mutex_wait, &holders_});
  if (how == detail::waiter::done) return how;

  // The last waiting writer to give up lets in the readers that waited behind it.
  detail::wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    if (node.linked()) detail::wait_queue::erase(node);
    if (!writing_ && !detail::has_waiter(writers_)) admit_readers(woken);
  }
  detail::wake_all(woken);
  return how;
}

detail::waiter::outcome shared_mutex::lock_shared_within(detail::wait_limit limit) {
  detail::fiber* const caller = detail::spend_budget().self;
  if (limit.canceled()) return detail::waiter::canceled;
  mu_.lock();
  if (take_shared_locked(caller)) {
    mu_.unlock();
    return detail::waiter::done;
  }
  detail::waiter self(caller);
  detail::wait_node node(self);
  node.alone = limit.none();
  readers_.push_back(node);
  mu_.unlock();
  const detail::waiter::outcome how = limit.wait(self, {detail::shared_mutex_read_wait, &holders_});
  if (how != detail::waiter::done) detail::withdraw(mu_, node);
  return how;
}

error shared_mutex::lock(const context& ctx) {
  const detail::wait_limit limit(ctx);
  return limit.to_error(lock_within(limit));
}

error shared_mutex::lock_shared(const context& ctx) {
  const detail::wait_limit limit(ctx);
  return limit.to_error(lock_shared_within(limit));
}

void shared_mutex::unlock() {
  detail::wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    if (!writing_) {
      throw std::logic_error("spool::shared_mutex::unlock: no writer holds it; a reader unlocks with unlock_shared");
    }
    writing_ = false;
    holders_.writer = nullptr;
    if (waited_for()) {
      admit_readers(woken);
      if (holders_.readers == 0) admit_writer(woken);
    }
  }
  detail::wake_all(woken);
  detail::schedule_point();
}

void shared_mutex::unlock_shared() {
  detail::wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    if (holders_.readers == 0) {
      throw std::logic_error("spool::shared_mutex::unlock_shared: no reader holds it; a writer unlocks with unlock");
    }
    holders_.remove_reader();
    if (holders_.readers == 0 && waited_for()) {
      admit_writer(woken);
      if (!writing_) admit_readers(woken);  // they waited for writers that have all given up
    }
  }
  detail::wake_all(woken);
  detail::schedule_point();
}

}  // namespace spool
