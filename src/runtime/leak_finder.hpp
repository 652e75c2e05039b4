// Which fibers wait on a channel that nobody can reach any more but fibers in the same case: for when the census proves
// nothing, because the process has threads or handlers that spool does not know.
//
// It looks for references as a conservative garbage collector does, in three kinds of memory:
//   candidates   stack and closure of each fiber that waits in a channel's send or recv without limit, and the head of that channel
//   roots        every other writable memory of the process, the other fibers' stacks included
// A word in the roots that points to a candidate's channel, or to a handle on its stack (which it may have lent somebody),
// makes it live; what is live is searched in its turn. What remains has no reference from outside. That is suspected, not
// proven: a handle may be in a register just now, and a reference may be to an object that has the handle far inside.
// Costs a pass over the process's memory: made only for the report of who remains at the end of a run.
#pragma once

#include <spool/runtime/detail/fiber_list.hpp>

#include <span>
#include <vector>

namespace spool::detail {

/// To be called on a plain thread. The ids of such fibers, of any runtime. Empty also where memory cannot be searched, or is too large for it.
std::vector<std::uint64_t> find_unreachable();

/// What a report read of fibers would itself pass for references to their channels: it is overwritten.
void forget(std::span<fiber_info> fibers) noexcept;

}  // namespace spool::detail
