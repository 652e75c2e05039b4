// Memory for what is small, lives for a moment and often ends on another thread than it began on: tasks, jobs.
#pragma once

#include <cstddef>

namespace spool::detail {

/// As operator new and delete, from any thread. Nodes of up to 192 bytes come from the calling thread's own cache.
[[gnu::noinline]] void* allocate_node(std::size_t bytes);
[[gnu::noinline]] void free_node(void* node, std::size_t bytes) noexcept;

/// Deletes the free nodes of the calling thread and those that no thread has. For tests that count or refuse memory.
void drop_free_nodes() noexcept;

}  // namespace spool::detail
