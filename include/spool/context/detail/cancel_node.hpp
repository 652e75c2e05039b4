// What a context's handle must see without a call: the reference count and whether the node is done. The rest of a
// node is src/context/context_core.hpp.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <atomic>
#include <cstdint>

namespace spool::detail {

class context_core;

struct cancel_node {
  std::atomic<std::uint32_t> refs{0};
  // Stored with release after err and cause have been written, which never change again: who sees it reads them
  // without a lock.
  std::atomic<bool> done{false};

 protected:
  ~cancel_node() = default;
};

/// Destroys a node whose last reference has gone, and, one by one, the ancestors that only it kept.
void destroy_unreferenced(cancel_node* node) noexcept;

inline void intrusive_ptr_add_ref(cancel_node* node) noexcept { node->refs.fetch_add(1, std::memory_order_relaxed); }
inline void intrusive_ptr_release(cancel_node* node) noexcept {
  if (node->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy_unreferenced(node);
}

using cancel_node_ptr = boost::intrusive_ptr<cancel_node>;

}  // namespace spool::detail
