// Who waits for a lock that whom has locked. spool::mutex notes its last owner, spool::shared_mutex its writer or some of
// its readers, which costs a store or two; all else is done here, on the monitor's thread, while the fibers run on.
//
// What is found this way is suspected only: a lock belongs to no fiber, so somebody else may unlock it. It is found twice,
// some time apart, with every fiber of the ring in the same wait, before it is reported.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/runtime/detail/fiber_list.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace spool::detail {

/// Fills in `holder` where a listed fiber still waits for a mutex or a shared_mutex. Takes the registry locks of all
/// runtimes, one after another.
void name_holders(std::span<fiber_info> fibers);

/// Fibers that wait in a ring, each for a lock that the next one has, and those that wait for one of these. The next has
/// it alone: a lock that readers hold is in no ring.
struct lock_ring {
  std::vector<fiber_info> ring;
  std::vector<fiber_info> behind;
};

/// Looks for rings among fibers that have waited for a second or more, of all runtimes.
class ring_finder {
 public:
  /// Rings that were there at the last look already, each told once, and only by the finder of its first fiber's runtime.
  std::vector<lock_ring> look(scheduler& of, time_point now);

 private:
  struct edge {
    const fiber* from;
    std::uintptr_t lock;  // its address, disguised: the search of memory would take it for a reference
    std::uint32_t since;
    friend bool operator==(const edge&, const edge&) = default;
  };
  std::vector<edge> seen_;  // by the last look, in rings
  std::vector<edge> reported_;
};

}  // namespace spool::detail
