// Memory for what is small, lives for a moment and often ends on another thread than it began on: tasks, jobs.
#pragma once

#include <cstddef>
#include <new>

namespace spool::detail {

/// As operator new and delete, from any thread. Nodes of up to 192 bytes come from the calling thread's own cache.
[[gnu::noinline]] void* allocate_node(std::size_t bytes);
[[gnu::noinline]] void free_node(void* node, std::size_t bytes) noexcept;

/// A base of classes whose objects are such nodes.
struct node_allocated {
  static void* operator new(std::size_t bytes) { return allocate_node(bytes); }
  static void operator delete(void* object, std::size_t bytes) noexcept { free_node(object, bytes); }
  static void* operator new(std::size_t bytes, std::align_val_t align) { return ::operator new(bytes, align); }
  static void operator delete(void* object, std::size_t, std::align_val_t align) noexcept {
    ::operator delete(object, align);
  }
};

/// Deletes the free nodes of the calling thread and those that no thread has. For tests that count or refuse memory.
void drop_free_nodes() noexcept;

}  // namespace spool::detail
