#include <spool/runtime/detail/live_fibers.hpp>

#include "scheduler.hpp"
#include "thread_state.hpp"

#include <mutex>

namespace spool::detail {
namespace {

void look_into(scheduler& s, const fiber* self, live_fibers& found) {
  std::size_t begun = 0;
  const std::lock_guard lock(s.registry_mutex());
  auto& fibers = s.fibers();
  for (fiber* f = fibers.front(); f != nullptr; f = fibers.next(*f)) {
    if (!f->busy.load(std::memory_order_relaxed)) continue;
    ++begun;
    if (f != self) found.begun.push_back({f->ensure_id(), s.describe(*f)});
  }
  const std::size_t live = s.live();
  if (live > begun) found.not_begun += live - begun;
}

}  // namespace

live_fibers look_for_fibers(scheduler* s) {
  const worker* w = current_worker();
  const fiber* self = w != nullptr ? w->current() : nullptr;
  live_fibers found;
  if (s != nullptr) {
    look_into(*s, self, found);
  } else {
    scheduler_registry::all_of([&](scheduler& each) {
      look_into(each, self, found);
      return true;
    });
  }
  return found;
}

}  // namespace spool::detail
