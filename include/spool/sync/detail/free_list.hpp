// Objects that wait for their next use, last in first out: the one still warm in the cache goes out again.
#pragma once

#include <spool/runtime/detail/spin_lock.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace spool::detail {

/// Linked through the nodes, so nothing is allocated under the lock, and no object is made or destroyed there.
template <class T>
class free_list {
 public:
  struct node {
    template <class Make>
    explicit node(std::in_place_t, Make&& make) : value(std::forward<Make>(make)()) {}
    T value;
    node* next = nullptr;
  };
  using node_ptr = std::unique_ptr<node>;

  explicit free_list(std::size_t max_size) noexcept : max_size_(max_size) {}
  free_list(const free_list&) = delete;
  free_list& operator=(const free_list&) = delete;
  ~free_list() { clear(); }

  /// Null when there is none.
  node_ptr pop() noexcept {
    const std::lock_guard guard(mu_);
    if (head_ == nullptr) return nullptr;
    node_ptr first(head_);
    head_ = std::exchange(first->next, nullptr);
    --size_;
    return first;
  }

  /// Destroys what finds no room.
  void push(node_ptr n) noexcept {
    const std::lock_guard guard(mu_);
    if (size_ >= max_size_) return;  // n is destroyed after the guard: parameters outlive locals
    n->next = head_;
    head_ = n.release();
    ++size_;
  }

  void clear() noexcept {
    while (pop() != nullptr) {
    }
  }
  /// Nothing is kept from now on.
  void close() noexcept {
    {
      const std::lock_guard guard(mu_);
      max_size_ = 0;
    }
    clear();
  }

  std::size_t size() const noexcept {
    const std::lock_guard guard(mu_);
    return size_;
  }

 private:
  mutable spin_lock mu_;
  // Guarded by mu_:
  node* head_ = nullptr;
  std::size_t size_ = 0;
  std::size_t max_size_;
};

}  // namespace spool::detail
