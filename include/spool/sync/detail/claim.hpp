// What every waker does with a queue: claim under the object's lock, wake after it.
#pragma once

#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <mutex>

namespace spool::detail {

/// Takes the first node that can still be claimed out of the queue, or null. Under the lock that guards the queue.
inline wait_node* claim_first(wait_queue& queue) noexcept {
  while (wait_node* node = queue.pop_front()) {
    if (node->try_claim()) return node;
  }
  return nullptr;
}

/// Whether somebody waits. Nodes that gave up (timed out, cancelled, abandoned) are dropped from the front: they are
/// not in anyone's way. Under the lock that guards the queue.
inline bool has_waiter(wait_queue& queue) noexcept {
  while (wait_node* node = queue.front()) {
    if (!node->owner->claimed()) return true;
    wait_queue::erase(*node);
  }
  return false;
}

/// Moves every node that can still be claimed to `woken`; the queue is empty then. Under the lock that guards the
/// queue.
inline void claim_all(wait_queue& queue, wait_queue& woken) noexcept {
  while (wait_node* node = claim_first(queue)) woken.push_back(*node);
}

/// Wakes what was claimed, with no lock held; neither the nodes nor what they waited on may be touched afterwards.
inline void wake_all(wait_queue& woken) noexcept {
  while (wait_node* node = woken.pop_front()) node->owner->wake();
}

/// Takes the node of a wait that ended otherwise out of its queue, if it is still there.
inline void withdraw(spin_lock& mu, wait_node& node) noexcept {
  const std::lock_guard guard(mu);
  if (node.linked()) wait_queue::erase(node);
}

}  // namespace spool::detail
