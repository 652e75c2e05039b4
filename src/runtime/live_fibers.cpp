#include <spool/runtime/detail/live_fibers.hpp>

#include "scheduler.hpp"
#include "thread_state.hpp"

#include <spool/runtime/detail/fiber_list.hpp>

namespace spool::detail {
namespace {

void look_into(scheduler& s, std::uint64_t self, live_fibers& found) {
  const std::vector<fiber_info> listed = list_fibers(s);
  for (const fiber_info& f : listed) {
    if (f.id != self) found.begun.push_back({f.id, to_string(f)});
  }
  const std::size_t live = s.live();
  if (live > listed.size()) found.not_begun += live - listed.size();
}

}  // namespace

live_fibers look_for_fibers(scheduler* s) {
  const worker* w = current_worker();
  const std::uint64_t self = w != nullptr && w->current() != nullptr ? w->current()->ensure_id() : 0;
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
