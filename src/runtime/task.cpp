#include <spool/runtime/detail/task.hpp>

#include "scheduler.hpp"
#include "thread_state.hpp"

#include <stdexcept>
#include <string>

namespace spool::detail {

scheduler* current_scheduler() noexcept {
  worker* w = current_worker();
  return w != nullptr && w->current() != nullptr ? &w->owner : nullptr;
}

scheduler& require_scheduler(const char* operation) {
  if (scheduler* s = current_scheduler()) return *s;
  throw std::logic_error(std::string(operation) +
                         ": not on a fiber of a runtime. Call it inside spool::run(...) or runtime::run(...), or use "
                         "runtime::go(...) from this thread");
}

void spawn(scheduler& s, task* t) noexcept {
  s.spawn_task(*t);
}

void set_start_site(start_site where) noexcept {
  worker* w = current_worker();
  if (w == nullptr || w->current() == nullptr) return;
  w->current()->start_file.store(where.file, std::memory_order_relaxed);
  w->current()->start_line.store(where.line, std::memory_order_relaxed);
}

reactor& attach_reactor(scheduler& s, std::unique_ptr<reactor> (*make)()) {
  return s.attach_reactor(make);
}

void* attach_once(scheduler& s, attachment (*make)()) {
  return s.attach(make);
}

std::size_t worker_count(const scheduler& s) noexcept {
  return s.workers().size();
}

}  // namespace spool::detail
