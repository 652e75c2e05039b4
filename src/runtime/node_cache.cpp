#include "node_cache.hpp"

#include "thread_lock.hpp"
#include "thread_state.hpp"

#include <spool/runtime/detail/node_memory.hpp>

#include <pthread.h>

#include <mutex>
#include <new>
#include <utility>

namespace spool::detail {
namespace {

constexpr std::size_t most_bytes = std::size_t{2} << 20;  // of each size

struct depot {
  thread_lock lock;
  spare_node* first = nullptr;  // guarded by lock, as the next
  unsigned batches = 0;
};
constinit depot depots[node_caches::sizes];

depot& depot_of(std::size_t node_bytes) noexcept { return depots[node_bytes / node_caches::step - 1]; }

void delete_all(spare_node* node) noexcept {
  while (node != nullptr) ::operator delete(std::exchange(node, node->next));
}

spare_node* take_batch(depot& d) noexcept {
  const std::lock_guard guard(d.lock);
  spare_node* const taken = d.first;
  if (taken == nullptr) return nullptr;
  d.first = taken->next_batch;
  --d.batches;
  return taken;
}

void give_batch(std::size_t node_bytes, spare_node* nodes) noexcept {
  {
    depot& d = depot_of(node_bytes);
    const std::lock_guard guard(d.lock);
    if (d.batches < most_bytes / (node_bytes * node_cache::batch)) {
      nodes->next_batch = d.first;
      d.first = nodes;
      ++d.batches;
      return;
    }
  }
  delete_all(nodes);
}

// A key, since a destructor of the caches would come too early, before those of other libraries that may free nodes, and glibc ends
// the process when it cannot note one.
bool call_at_end(node_caches& caches) noexcept {
  struct key {
    ~key() {
      if (made) ::pthread_key_delete(value);  // this code may be unloaded before the last thread ends
    }
    pthread_key_t value{};
    bool made = ::pthread_key_create(&value, [](void* of) { static_cast<node_caches*>(of)->end(); }) == 0;
  };
  static const key end_of_thread;
  return end_of_thread.made && ::pthread_setspecific(end_of_thread.value, &caches) == 0;
}

}  // namespace

bool node_cache::refill(std::size_t node_bytes) noexcept {
  spare_node* const nodes = cold_ != nullptr ? std::exchange(cold_, nullptr) : take_batch(depot_of(node_bytes));
  if (nodes == nullptr) return false;
  hot_ = nodes;
  hot_count_ = batch;
  return true;
}

void node_cache::spill(std::size_t node_bytes) noexcept {
  if (cold_ != nullptr) give_batch(node_bytes, cold_);
  cold_ = std::exchange(hot_, nullptr);
  hot_count_ = 0;
}

void node_cache::end(std::size_t node_bytes) noexcept {
  if (cold_ != nullptr) give_batch(node_bytes, std::exchange(cold_, nullptr));
  delete_all(std::exchange(hot_, nullptr));
  hot_count_ = batch;
}

void node_caches::begin() noexcept {
  now = state::keeping;
  for (node_cache& cache : of_size) cache.begin();
}

void node_caches::begin_on_thread() noexcept {
  if (now != state::unused) return;
  if (call_at_end(*this)) {
    begin();
  } else {
    now = state::ended;
  }
}

void node_caches::end() noexcept {
  if (now == state::keeping) {
    for (std::size_t i = 0; i < sizes; ++i) of_size[i].end((i + 1) * step);
  }
  now = state::ended;
}

void* node_caches::allocate_slowly(std::size_t size) {
  const std::size_t bytes = (size + 1) * step;
  begin_on_thread();
  if (now == state::keeping && of_size[size].refill(bytes)) return of_size[size].take();
  return ::operator new(bytes);
}

void node_caches::free_slowly(void* node, std::size_t size) noexcept {
  begin_on_thread();
  if (now == state::ended) return ::operator delete(node);
  node_cache& cache = of_size[size];
  if (cache.keep(node)) return;
  cache.spill((size + 1) * step);
  cache.keep(node);
}

void drop_free_nodes() noexcept {
  node_caches& own = this_threads_nodes();
  for (std::size_t i = 0; i < node_caches::sizes; ++i) {
    const std::size_t bytes = (i + 1) * node_caches::step;
    do {
      while (void* node = own.of_size[i].take()) ::operator delete(node);
    } while (own.now == node_caches::state::keeping && own.of_size[i].refill(bytes));
    while (spare_node* nodes = take_batch(depot_of(bytes))) delete_all(nodes);
  }
}

}  // namespace spool::detail
