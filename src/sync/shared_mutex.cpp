// While mu_ is free:
//   I1 writing_ excludes reading_ > 0
//   I2 a waiting writer implies writing_ or reading_ > 0      I3 a waiting reader implies writing_ or a waiting writer
// Locks are handed over: who is woken owns the lock already. All state is behind mu_, which costs the uncontended paths
// one atomic exchange, as a lock-free counter would, and makes "destroyed while unlock still runs" hold by itself.
#include <spool/sync/detail/claim.hpp>
#include <spool/sync/shared_mutex.hpp>

#include <stdexcept>

namespace spool {

bool shared_mutex::take_locked() noexcept {
  if (writing_ || reading_ != 0) return false;
  writing_ = true;
  return true;
}

bool shared_mutex::take_shared_locked() noexcept {
  if (writing_ || detail::has_waiter(writers_)) return false;
  ++reading_;
  return true;
}

void shared_mutex::admit_readers(detail::wait_queue& woken) noexcept {
  while (detail::wait_node* node = detail::claim_first(readers_)) {
    ++reading_;
    woken.push_back(*node);
  }
}

bool shared_mutex::try_lock() {
  detail::spend_budget();
  const std::lock_guard guard(mu_);
  return take_locked();
}

bool shared_mutex::try_lock_shared() {
  detail::spend_budget();
  const std::lock_guard guard(mu_);
  return take_shared_locked();
}

detail::waiter::outcome shared_mutex::lock_within(detail::wait_limit limit) {
  detail::spend_budget();
  if (limit.canceled()) return detail::waiter::canceled;
  mu_.lock();
  if (take_locked()) {
    mu_.unlock();
    return detail::waiter::done;
  }
  detail::waiter self;
  detail::wait_node node(self);
  node.alone = limit.none();
  writers_.push_back(node);
  mu_.unlock();
  const detail::waiter::outcome how = limit.wait(self, {"shared_mutex", this});
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
  detail::spend_budget();
  if (limit.canceled()) return detail::waiter::canceled;
  mu_.lock();
  if (take_shared_locked()) {
    mu_.unlock();
    return detail::waiter::done;
  }
  detail::waiter self;
  detail::wait_node node(self);
  node.alone = limit.none();
  readers_.push_back(node);
  mu_.unlock();
  const detail::waiter::outcome how = limit.wait(self, {"shared_mutex (shared)", this});
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
    admit_readers(woken);
    if (reading_ == 0) {
      if (detail::wait_node* node = detail::claim_first(writers_)) {
        writing_ = true;
        woken.push_back(*node);
      }
    }
  }
  detail::wake_all(woken);
}

void shared_mutex::unlock_shared() {
  detail::wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    if (reading_ == 0) {
      throw std::logic_error("spool::shared_mutex::unlock_shared: no reader holds it; a writer unlocks with unlock");
    }
    if (--reading_ == 0) {
      if (detail::wait_node* node = detail::claim_first(writers_)) {
        writing_ = true;
        woken.push_back(*node);
      } else {
        admit_readers(woken);  // they waited for writers that have all given up
      }
    }
  }
  detail::wake_all(woken);
}

}  // namespace spool
