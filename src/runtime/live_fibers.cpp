#include <spool/runtime/detail/live_fibers.hpp>

#include "scheduler.hpp"
#include "thread_state.hpp"
#include "wait_graph.hpp"

#include <spool/runtime/detail/fiber_list.hpp>

namespace spool::detail {

live_fibers look_for_fibers(scheduler* s) {
  std::vector<fiber_info> listed;
  live_fibers found;
  const auto look_into = [&](scheduler& each) {
    const std::vector<fiber_info> begun = each.describe_all();
    const std::size_t live = each.live();
    if (live > begun.size()) found.not_begun += live - begun.size();
    listed.insert(listed.end(), begun.begin(), begun.end());
    return true;
  };
  if (s != nullptr) {
    look_into(*s);
  } else {
    scheduler_registry::all_of(look_into);
  }
  name_holders(listed);  // looks at all runtimes itself
  const worker* w = current_worker();
  const std::uint64_t self = w != nullptr && w->current() != nullptr ? w->current()->ensure_id() : 0;
  for (const fiber_info& f : listed) {
    if (f.id != self) found.begun.push_back({f.id, to_string(f)});
  }
  return found;
}

}  // namespace spool::detail
