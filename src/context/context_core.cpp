#include "context_core.hpp"

#include "runtime_tie.hpp"

#include <utility>

namespace spool::detail {

after_func_entry::after_func_entry(std::shared_ptr<runtime_tie> runtime, task* f) noexcept
    : runtime_(std::move(runtime)), f_(f) {}

after_func_entry::~after_func_entry() {
  if (take()) drop();
}

void after_func_entry::start() noexcept { runtime_->spawn_or_drop(f_); }
void after_func_entry::drop() noexcept { drop_task(f_); }

// What a cancellation gathers under the locks, to act on once they are released.
struct context_core::walk {
  errc err;
  const error& cause;
  context_core* visited = nullptr;  // each with a reference, except the first node, which the caller keeps
  intrusive_list<after_func_entry> due;

  /// Makes `node` done; under its lock.
  void mark(context_core& node) noexcept {
    node.err_ = err;
    node.cause_ = cause;
    node.done.store(true, std::memory_order_release);
    node.visited_next_ = std::exchange(visited, &node);
    while (after_func_entry* entry = node.after_funcs_.pop_front()) {
      if (entry->take()) {
        due.push_back(*entry);
      } else {
        entry->self.reset();  // whoever took it is about to release it, too: this frees no more than the entry's memory
      }
    }
  }
};

void context_core::cancel(errc err, const error& cause) noexcept {
  walk found{err, cause, nullptr, {}};
  const preemption_hold unpreempted;
  lock_on_thread(lock_);
  if (done.load(std::memory_order_relaxed)) return lock_.unlock();
  found.mark(*this);
  // Depth first, with the locks from here down to `at` held, and the way back through parent_: no stack, no allocation.
  for (context_core* at = this;;) {
    if (context_core* child = at->children_.pop_front()) {
      lock_on_thread(child->lock_);
      // No reference is to be had: the child is dying, has nothing below it, and waits for our lock to leave its
      // parent.
      if (child->done.load(std::memory_order_relaxed) || !child->try_add_ref()) {
        child->lock_.unlock();
        continue;
      }
      found.mark(*child);
      at = child;
    } else {
      context_core* up = at == this ? nullptr : at->parent_.get();
      at->wake_and_unlock();
      if (up == nullptr) break;
      at = up;
    }
  }
  while (after_func_entry* entry = found.due.pop_front()) {
    entry->start();
    std::exchange(entry->self, nullptr).reset();
  }
  leave_parent();
  while (context_core* node = found.visited) {
    found.visited = node->visited_next_;
    node->left_parent_ = true;
    node->finish();
    if (node != this) intrusive_ptr_release(node);
  }
}

// Woken once everything below is done, but before the unlock: a hook that is withdrawn without a wait then finds that
// it was not claimed, or that the wake is over.
void context_core::wake_and_unlock() noexcept {
  while (wait_node* waiting = waiters_.pop_front()) {
    if (waiting->try_claim()) waiting->owner->wake();
  }
  lock_.unlock();
}

void context_core::finish() noexcept {
  ended();
  std::stop_source stop{std::nostopstate};
  {
    const thread_guard guard(lock_);
    stop = stop_;
  }
  if (stop.stop_possible()) stop.request_stop();
}

void context_core::follow_parent() noexcept {
  if (parent_ == nullptr) return;
  bool linked = false;
  {
    const thread_guard guard(parent_->lock_);
    if (!parent_->done.load(std::memory_order_relaxed)) {
      parent_->children_.push_back(*this);
      linked = true;
    }
  }
  if (!linked) return cancel(parent_->err_, parent_->cause_);
  // A timer or a stop token may have made it done before it was in the list, where that cancellation did not find it.
  if (is_done()) leave_parent();
}

void context_core::leave_parent() noexcept {
  if (parent_ == nullptr) return;
  const thread_guard guard(parent_->lock_);
  if (linked()) parent_->children_.erase(*this);
}

bool context_core::try_add_ref() noexcept {
  std::uint32_t count = refs.load(std::memory_order_relaxed);
  while (count != 0) {
    if (refs.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

bool context_core::add_waiter(wait_node& node) noexcept {
  const thread_guard guard(lock_);
  if (done.load(std::memory_order_relaxed)) return false;
  waiters_.push_back(node);
  return true;
}

void context_core::remove_waiter(wait_node& node) noexcept {
  const thread_guard guard(lock_);
  if (node.linked()) waiters_.erase(node);
}

bool context_core::add_after_func(std::shared_ptr<after_func_entry> entry) noexcept {
  const thread_guard guard(lock_);
  if (done.load(std::memory_order_relaxed)) return false;
  after_func_entry& added = *entry;
  added.self = std::move(entry);
  after_funcs_.push_back(added);
  return true;
}

void context_core::remove_after_func(after_func_entry& entry) noexcept {
  std::shared_ptr<after_func_entry> released;
  const thread_guard guard(lock_);
  if (!entry.linked()) return;
  after_funcs_.erase(entry);
  released = std::move(entry.self);
}

std::stop_token context_core::stop_token() {
  std::stop_source fresh;
  std::stop_source source{std::nostopstate};
  {
    const thread_guard guard(lock_);
    if (!stop_.stop_possible()) stop_ = std::move(fresh);
    source = stop_;
  }
  // The cancellation may have passed by before there was a source.
  if (is_done()) source.request_stop();
  return source.get_token();
}

context_core::~context_core() {
  // Entries of functions that can no longer be called for; destroying them drops the functions.
  while (after_func_entry* entry = after_funcs_.pop_front()) std::exchange(entry->self, nullptr).reset();
}

void destroy_unreferenced(cancel_node* node) noexcept {
  // A loop: dropping a chain of 10,000 contexts must not take 10,000 frames.
  auto* core = static_cast<context_core*>(node);
  while (core != nullptr) {
    // A cancellation of the parent may have hold of the node until the parent's lock has been ours.
    if (!core->left_parent_) core->leave_parent();
    context_core* parent = core->parent_.detach();
    delete core;
    core = parent != nullptr && parent->refs.fetch_sub(1, std::memory_order_acq_rel) == 1 ? parent : nullptr;
  }
}

context adopt(const context& parent, boost::intrusive_ptr<context_core> core) noexcept {
  return context_access::make(cancel_node_ptr(std::move(core)), context_access::values(parent));
}

}  // namespace spool::detail
