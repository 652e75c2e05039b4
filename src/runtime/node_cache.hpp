// Nodes of one size that a thread keeps for its next ones: up to two batches, the last freed first. Whole batches go through
// a depot of the process from threads that free more than they allocate to threads that allocate more than they free: one
// lock for a batch, where malloc takes an arena's for almost every node. What the depot has no room for is deleted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spool::detail {

struct spare_node {
  spare_node* next;
  spare_node* next_batch;  // of a batch's first node, in the depot
};

class node_cache {
 public:
  static constexpr unsigned batch = 32;
  /// A thread that keeps nothing: one that has not begun to, or has ended.
  constexpr node_cache() noexcept = default;

  /// Null when it is empty.
  void* take() noexcept {
    spare_node* node = hot_;
    if (node == nullptr) return nullptr;
    hot_ = node->next;
    --hot_count_;
    return node;
  }
  /// False when it is full.
  bool keep(void* memory) noexcept {
    if (hot_count_ == batch) return false;
    auto* node = static_cast<spare_node*>(memory);
    node->next = hot_;
    hot_ = node;
    ++hot_count_;
    return true;
  }

  void begin() noexcept { hot_count_ = 0; }
  void end(std::size_t node_bytes) noexcept;
  /// Once it is empty: the other batch, or one of the depot, becomes the hot one. False: there is none.
  bool refill(std::size_t node_bytes) noexcept;
  /// Makes the hot one an empty one.
  void spill(std::size_t node_bytes) noexcept;

 private:
  spare_node* hot_ = nullptr;
  unsigned hot_count_ = batch;   // full, though without nodes, while nothing is kept
  spare_node* cold_ = nullptr;    // a whole batch
};

/// The caches of one thread. Trivial to destroy: thread-locals that are destroyed later may still free nodes.
struct node_caches {
  static constexpr std::size_t step = 64;
  static constexpr std::size_t sizes = 3;
  enum class state : std::uint8_t { unused, keeping, ended };

  /// Nodes of (size + 1) * step bytes.
  void* allocate(std::size_t size) {
    if (void* node = of_size[size].take()) [[likely]] return node;
    return allocate_slowly(size);
  }
  void free(void* node, std::size_t size) noexcept {
    if (!of_size[size].keep(node)) [[unlikely]] free_slowly(node, size);
  }

  /// From now on, until somebody calls end(); by itself at the first use on a thread, whose end does.
  void begin() noexcept;
  void end() noexcept;

  node_cache of_size[sizes];
  state now = state::unused;

 private:
  void* allocate_slowly(std::size_t size);
  void free_slowly(void* node, std::size_t size) noexcept;
  void begin_on_thread() noexcept;
};

}  // namespace spool::detail
