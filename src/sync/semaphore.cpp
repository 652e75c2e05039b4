// While mu_ is free: a waiting request implies that the first one asks for more than count_. All state is behind mu_:
// its one atomic exchange is what a lock-free count would cost, and a semaphore may be destroyed by whom release
// served.
#include <spool/sync/detail/claim.hpp>
#include <spool/sync/semaphore.hpp>

#include <limits>
#include <stdexcept>

namespace spool {
namespace {

void require_count(std::ptrdiff_t n) {
  if (n < 0) throw std::invalid_argument("spool::semaphore: a count of units must not be negative");
}

}  // namespace

struct semaphore::request : detail::wait_node {
  request(detail::waiter& w, std::ptrdiff_t n) noexcept : wait_node(w), units(n) {}
  std::ptrdiff_t units;
};

semaphore::semaphore(std::ptrdiff_t count) : count_(count) { require_count(count); }

void semaphore::serve(detail::wait_queue& woken) noexcept {
  while (detail::has_waiter(queue_)) {
    auto* first = static_cast<request*>(queue_.front());
    if (first->units > count_) return;
    detail::wait_queue::erase(*first);
    if (!first->try_claim()) continue;
    count_ -= first->units;
    woken.push_back(*first);
  }
}

detail::waiter::outcome semaphore::acquire_within(std::ptrdiff_t n, detail::wait_limit limit) {
  require_count(n);
  if (limit.canceled()) return detail::waiter::canceled;
  mu_.lock();
  if (n <= count_ && !detail::has_waiter(queue_)) {
    count_ -= n;
    mu_.unlock();
    detail::spend_budget();
    return detail::waiter::done;
  }
  detail::waiter self;
  request mine(self, n);
  mine.alone = limit.none();
  queue_.push_back(mine);
  mu_.unlock();
  const detail::waiter::outcome how = limit.wait(self, {"semaphore", this});
  if (how == detail::waiter::done) return how;

  // Those behind a request that was too large may be served now.
  detail::wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    if (mine.linked()) detail::wait_queue::erase(mine);
    serve(woken);
  }
  detail::wake_all(woken);
  return how;
}

error semaphore::acquire(const context& ctx, std::ptrdiff_t n) {
  const detail::wait_limit limit(ctx);
  return limit.to_error(acquire_within(n, limit));
}

bool semaphore::try_acquire(std::ptrdiff_t n) {
  require_count(n);
  bool taken = false;
  {
    const std::lock_guard guard(mu_);
    if (n <= count_ && !detail::has_waiter(queue_)) {
      count_ -= n;
      taken = true;
    }
  }
  detail::spend_budget();
  return taken;
}

void semaphore::release(std::ptrdiff_t n) {
  require_count(n);
  detail::wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    if (count_ > std::numeric_limits<std::ptrdiff_t>::max() - n) {
      throw std::logic_error("spool::semaphore::release: the count would overflow; release what was acquired, once");
    }
    count_ += n;
    serve(woken);
  }
  detail::wake_all(woken);
  detail::schedule_point();
}

std::ptrdiff_t semaphore::available() const {
  const std::lock_guard guard(mu_);
  return count_;
}

}  // namespace spool
