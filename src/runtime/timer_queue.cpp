#include "timer_queue.hpp"

#include <algorithm>
#include <mutex>

namespace spool::detail {
namespace {

constexpr std::size_t arity = 4;
constexpr std::size_t unarmed = static_cast<std::size_t>(-1);

std::mutex& spare_mutex() {
  static std::mutex mutex;
  return mutex;
}
std::vector<timer_queue*>& spares() {
  static auto* list = new std::vector<timer_queue*>;  // outlives every static object
  return *list;
}

}  // namespace

timer_queue& timer_queue::acquire() {
  const std::lock_guard lock(spare_mutex());
  if (spares().empty()) {
    static std::size_t made = 0;
    spares().reserve(made + 1);  // so that release() needs no memory for it
    ++made;
    return *new timer_queue;
  }
  timer_queue* queue = spares().back();
  spares().pop_back();
  return *queue;
}

void timer_queue::release(timer_queue& queue, timer_queue& heir) {
  std::vector<entry> left;
  {
    const std::lock_guard lock(queue.lock_);
    // Both locks at once, in this order only: a cancel between the two would miss the node.
    const std::lock_guard heir_lock(heir.lock_);
    heir.heap_.reserve(heir.heap_.size() + queue.heap_.size());
    left.swap(queue.heap_);
    queue.publish_next();
    for (const entry& e : left) {
      heir.heap_.push_back(e);
      std::atomic_ref(e.node->queue).store(&heir, std::memory_order_release);
      heir.sift_up(heir.heap_.size() - 1, e);
    }
    heir.publish_next();
  }
  const std::lock_guard lock(spare_mutex());
  spares().push_back(&queue);
}

bool timer_queue::arm(timer_node& node, time_point when) {
  const std::lock_guard lock(lock_);
  heap_.push_back({when, &node});
  node.when = when;
  std::atomic_ref(node.queue).store(this, std::memory_order_release);
  sift_up(heap_.size() - 1, {when, &node});
  publish_next();
  return heap_.front().node == &node;
}

void timer_queue::fire_due(time_point now) noexcept {
  for (;;) {
    lock_.lock();
    if (heap_.empty() || heap_.front().when > now) {
      lock_.unlock();
      return;
    }
    fire_and_unlock(*heap_.front().node);
  }
}

void timer_queue::fire_and_unlock(timer_node& node) noexcept {
  remove(node);
  publish_next();
  if (node.run == timer_node::mode::locked) {
    node.fire(node, this);
    lock_.unlock();
  } else {
    lock_.unlock();
    node.fire(node, this);
  }
}

void timer_queue::fire_one(std::uint64_t chance) noexcept {
  lock_.lock();
  if (heap_.empty()) return lock_.unlock();
  const time_point first = heap_.front().when;
  const auto due = [first](const entry& e) { return e.when == first; };
  const auto count = static_cast<std::uint64_t>(std::count_if(heap_.begin(), heap_.end(), due));
  auto chosen = heap_.begin();
  for (std::uint64_t skip = chance % count; skip > 0; --skip) chosen = std::find_if(chosen + 1, heap_.end(), due);
  fire_and_unlock(*chosen->node);
}

void timer_queue::forget() noexcept {
  for (;;) {
    lock_.lock();
    if (heap_.empty()) return lock_.unlock();
    timer_node& node = *heap_.back().node;
    const bool tell = node.run == timer_node::mode::unlocked;
    remove(node);
    publish_next();
    lock_.unlock();
    if (tell) node.fire(node, nullptr);
  }
}

void timer_queue::place(std::size_t i, entry e) noexcept {
  heap_[i] = e;
  e.node->index = i;
}

void timer_queue::sift_up(std::size_t i, entry e) noexcept {
  while (i > 0) {
    const std::size_t parent = (i - 1) / arity;
    if (heap_[parent].when <= e.when) break;
    place(i, heap_[parent]);
    i = parent;
  }
  place(i, e);
}

void timer_queue::sift_down(std::size_t i, entry e) noexcept {
  for (;;) {
    const std::size_t first = i * arity + 1;
    if (first >= heap_.size()) break;
    const std::size_t end = std::min(first + arity, heap_.size());
    std::size_t least = first;
    for (std::size_t c = first + 1; c < end; ++c) {
      if (heap_[c].when < heap_[least].when) least = c;
    }
    if (e.when <= heap_[least].when) break;
    place(i, heap_[least]);
    i = least;
  }
  place(i, e);
}

void timer_queue::remove(timer_node& node) noexcept {
  const std::size_t i = node.index;
  node.index = unarmed;
  const entry last = heap_.back();
  heap_.pop_back();
  if (i == heap_.size()) return;
  if (i > 0 && last.when < heap_[(i - 1) / arity].when) {
    sift_up(i, last);
  } else {
    sift_down(i, last);
  }
}

void timer_queue::publish_next() noexcept {
  const time_point when = heap_.empty() ? time_point::max() : heap_.front().when;
  next_.store(when.time_since_epoch().count(), std::memory_order_relaxed);
}

bool cancel_timer(timer_node& node) noexcept {
  // A node that has fired still names its queue: taking the lock waits for a `locked` firing that is at work.
  // It may move to another queue meanwhile (its runtime ended); the lock of the queue it names decides.
  for (;;) {
    timer_queue* queue = std::atomic_ref(node.queue).load(std::memory_order_acquire);
    if (queue == nullptr) return false;
    const std::lock_guard lock(queue->lock_);
    if (std::atomic_ref(node.queue).load(std::memory_order_relaxed) != queue) continue;
    if (node.index == unarmed) return false;
    queue->remove(node);
    queue->publish_next();
    return true;
  }
}

}  // namespace spool::detail
