// What can be told of a runtime's fibers: for reports, and for what tests check at their end.
#pragma once

#include <spool/base/start_site.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spool::detail {

class fiber;
class scheduler;

struct fiber_info {
  std::uint64_t id = 0;
  std::string name;                       // empty: none was given
  start_site started;
  const char* waits_in = nullptr;         // null: runs, or is ready to
  const void* object = nullptr;           // that it waits on; null: none, or not known
  std::uint32_t since = 0;                // by coarse_clock: one wait for an object is not taken for the next
  std::chrono::milliseconds waits_for{};  // to 4 ms or so
  bool for_ever = false;                  // nothing can end this wait
  std::string holder;                     // who has the lock that it waits for, as far as that is known
};

/// The fibers of `s` that run a task which has not ended: a moment's truth. Thread safe.
std::vector<fiber_info> list_fibers(scheduler& s);
/// One line.
std::string to_string(const fiber_info& f);
/// A line for each, begun with "\n  ".
std::string to_lines(std::span<const fiber_info> fibers);

}  // namespace spool::detail
