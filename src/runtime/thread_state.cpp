#include "thread_state.hpp"

#include "node_cache.hpp"
#include "worker.hpp"

#include <spool/runtime/detail/node_memory.hpp>

#include <new>

namespace spool::detail {

#ifdef SPOOL_WITHOUT_TLS_BARRIER
thread_local constinit worker* tls_worker = nullptr;
#else
namespace {
thread_local constinit worker* tls_worker = nullptr;
}

worker* current_worker() noexcept {
  asm volatile("");  // keeps callers from treating this as a pure function, even when the linker optimizes
  return tls_worker;
}
#endif

namespace {
thread_local constinit node_caches tls_nodes;
}

node_caches& this_threads_nodes() noexcept {
  asm volatile("");
  return tls_nodes;
}

#if defined(BOOST_USE_ASAN) || defined(BOOST_USE_TSAN)
// A sanitizer sees each node's life better without caches.
void* allocate_node(std::size_t bytes) {
  return ::operator new(bytes);
}

void free_node(void* node, std::size_t) noexcept {
  ::operator delete(node);
}
#else
void* allocate_node(std::size_t bytes) {
  asm volatile("");
  const std::size_t size = (bytes - 1) / node_caches::step;
  return size < node_caches::sizes ? tls_nodes.allocate(size) : ::operator new(bytes);
}

void free_node(void* node, std::size_t bytes) noexcept {
  asm volatile("");
  const std::size_t size = (bytes - 1) / node_caches::step;
  return size < node_caches::sizes ? tls_nodes.free(node, size) : ::operator delete(node);
}
#endif

void set_current_worker(worker* w) noexcept {
  tls_worker = w;
}

// Here because they are called so often: they look at the variable itself, once, before a yield. What runs on a worker
// outside of fibers (a reactor's handlers) spends budget too; it does not matter.
fiber* current_fiber() noexcept {
  asm volatile("");
  worker* w = tls_worker;
  return w != nullptr ? w->current() : nullptr;
}

caller spend_budget() noexcept {
  asm volatile("");
  worker* w = tls_worker;
  if (w == nullptr) return {nullptr, 0};
  if (w->spend_budget()) [[unlikely]] return w->end_turn_of_caller();
  return w->as_caller();
}

bias_id current_bias_id() noexcept {
  asm volatile("");
  worker* w = tls_worker;
  return w != nullptr ? w->bias.id() : bias_id{0};
}

}  // namespace spool::detail
