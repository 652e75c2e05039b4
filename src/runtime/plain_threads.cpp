#include "plain_threads.hpp"

#include <spool/runtime/detail/task.hpp>

#include <dirent.h>

namespace spool::detail {

std::atomic<std::int64_t> thread_census::own{0};
std::atomic<std::int64_t> thread_census::blocked{0};
std::atomic<std::int64_t> thread_census::outside_sources{0};
std::atomic<std::int64_t> thread_census::firing{0};

std::size_t thread_census::all() noexcept {
  DIR* tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return 0;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(tasks)) count += entry->d_name[0] != '.';
  ::closedir(tasks);
  return without_sanitizers(count);
}

void add_outside_source() noexcept {
  thread_census::outside_sources.fetch_add(1, std::memory_order_seq_cst);
}

void remove_outside_source() noexcept {
  thread_census::outside_sources.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace spool::detail
