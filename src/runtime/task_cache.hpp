// Where tasks get their memory.
#pragma once

#include <spool/runtime/detail/task.hpp>

namespace spool::detail {

class task_cache {
 public:
  /// Frees a task that has run or was discarded.
  static void give_back(task* t) noexcept {
    t->~task();
    free_node(t, sizeof(task));
  }
};

}  // namespace spool::detail
