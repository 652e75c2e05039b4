#include <spool/group/errgroup.hpp>

#include <mutex>
#include <stdexcept>
#include <string>

namespace spool {

errgroup::~errgroup() {
  scope_.cancel();
  wait_for_all();
}

void errgroup::set_limit(std::ptrdiff_t n) {
  detail::wait_queue admitted;
  {
    const std::lock_guard guard(lock_);
    if (active_ > 0) {
      throw std::logic_error("errgroup::set_limit: " + std::to_string(active_) +
                             " fibers of the group are active; set the limit before the first go, or after wait");
    }
    limit_ = n;
    while (!entering_.empty() && room()) {
      detail::wait_node* node = entering_.pop_front();
      if (!node->try_claim()) continue;
      ++active_;
      admitted.push_back(*node);
    }
  }
  while (detail::wait_node* node = admitted.pop_front()) node->owner->wake();
}

bool errgroup::try_enter() noexcept {
  const std::lock_guard guard(lock_);
  if (!entering_.empty() || !room()) return false;
  ++active_;
  return true;
}

void errgroup::start_when_allowed(detail::scheduler& s, detail::task* t) noexcept {
  detail::waiter self;
  detail::wait_node node(self);
  bool wait = false;
  {
    const std::lock_guard guard(lock_);
    if (entering_.empty() && room()) {
      ++active_;
    } else {
      entering_.push_back(node);
      wait = true;
    }
  }
  if (wait) {
    self.note(detail::waiter::needs::surroundings);
    self.wait({"errgroup::go", this});  // whoever claims us has counted us
  }
  detail::spawn(s, t);
}

void errgroup::leave(error outcome) noexcept {
  if (outcome) {
    bool first = false;
    {
      const std::lock_guard guard(lock_);
      first = !first_;
      if (first) first_ = outcome;
    }
    if (first) scope_.cancel(outcome);  // before the count falls: until then the group is there
  }
  detail::waiter* successor = nullptr;
  detail::wait_queue finished;
  {
    const std::lock_guard guard(lock_);
    --active_;
    while (successor == nullptr && room()) {
      detail::wait_node* node = entering_.pop_front();
      if (node == nullptr) break;
      if (!node->try_claim()) continue;
      ++active_;
      successor = node->owner;
    }
    while (active_ == 0 && !waiting_.empty()) {
      detail::wait_node* node = waiting_.pop_front();
      if (node->try_claim()) finished.push_back(*node);
    }
  }
  // Once a waiter runs the group may be gone: from here on only what is on this stack.
  if (successor != nullptr) successor->wake();
  while (detail::wait_node* node = finished.pop_front()) node->owner->wake();
}

void errgroup::wait_for_all() noexcept {
  detail::waiter self;
  detail::wait_node node(self);
  {
    const std::lock_guard guard(lock_);
    if (active_ == 0) return;
    waiting_.push_back(node);
  }
  self.note(detail::waiter::needs::surroundings);
  self.wait({"errgroup::wait", this});
}

error errgroup::wait() {
  wait_for_all();
  error first;
  {
    const std::lock_guard guard(lock_);
    first = first_;
  }
  scope_.cancel(first);
  return first;
}

}  // namespace spool
