// One binding of a value to a key. Bindings form a chain from the nearest to the farthest; they are immutable and
// shared.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace spool::detail {

class value_node {
 public:
  value_node(const value_node&) = delete;
  value_node& operator=(const value_node&) = delete;

  friend void intrusive_ptr_add_ref(value_node* node) noexcept { node->refs_.fetch_add(1, std::memory_order_relaxed); }
  // A loop: a chain may be longer than a fiber's stack is deep.
  friend void intrusive_ptr_release(value_node* node) noexcept {
    while (node != nullptr && node->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      value_node* farther = node->farther_.detach();
      node->destroy_(node);
      node = farther;
    }
  }

  /// The nearest binding of the key, or null.
  static const value_node* find(const value_node* node, std::uint64_t key_id) noexcept {
    while (node != nullptr && node->key_id_ != key_id) node = node->farther_.get();
    return node;
  }

 protected:
  using destroy_fn = void (*)(value_node*) noexcept;
  value_node(std::uint64_t key_id, boost::intrusive_ptr<value_node> farther, destroy_fn destroy) noexcept
      : key_id_(key_id), farther_(std::move(farther)), destroy_(destroy) {}
  ~value_node() = default;

 private:
  std::uint64_t key_id_;
  boost::intrusive_ptr<value_node> farther_;
  destroy_fn destroy_;
  std::atomic<std::uint32_t> refs_{0};
};

using value_node_ptr = boost::intrusive_ptr<value_node>;

template <class T>
struct bound_value final : value_node {
  bound_value(std::uint64_t key_id, value_node_ptr farther, T&& v)
      : value_node(key_id, std::move(farther),
                   [](value_node* node) noexcept { delete static_cast<bound_value*>(node); }),
        value(std::move(v)) {}
  const T value;
};

}  // namespace spool::detail
