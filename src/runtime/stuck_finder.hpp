// Fibers that nobody seems able to wake, found while a runtime works: what they wait on is referred to by no part of the
// process that may still act (see leak_finder). For a process of which nothing can be proven, as it has signal handlers, open
// connections or threads that spool does not know.
//
// Memory stands still best while every worker sleeps, so only then is it searched; a search during which something ran says
// nothing. A fiber is told of when two searches found it in the same wait.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/runtime/detail/fiber_list.hpp>

#include <chrono>
#include <compare>
#include <cstdint>
#include <vector>

namespace spool::detail {

class scheduler;

struct stuck_fibers {
  std::vector<fiber_info> found;
  bool all = false;  // but for those that wait for I/O or for a context, no fiber of the runtime is in another state
};

class stuck_finder {
 public:
  /// Those that were found at the search before already, each told once. To be called while the workers of `of` sleep, as
  /// often as one likes: it searches now and then.
  stuck_fibers look(scheduler& of, time_point now);

 private:
  struct wait {
    std::uint64_t fiber;
    std::uint32_t since;
    friend auto operator<=>(const wait&, const wait&) = default;
  };
  void tell(scheduler& of, const std::vector<std::uint64_t>& fibers, time_point now, std::vector<fiber_info>& found);

  // In order.
  std::vector<wait> seen_;  // by the last search
  std::vector<wait> told_;  // and not ended since
  time_point next_search_{};
  std::chrono::milliseconds pause_{};
};

}  // namespace spool::detail
