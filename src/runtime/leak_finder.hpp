// Which fibers wait for what nobody can reach any more but fibers in the same case: for when the census proves nothing,
// because the process has threads or handlers that spool does not know.
//
// It looks for references as a conservative garbage collector does, in three kinds of memory:
//   candidates   stack and closure of each fiber whose wait nothing ends but a reference to its object, and the heads of
//                channels that it waits on. Such waits: without limit, in a channel's send or recv, in a select of
//                these, for a future, and for a lock, a group, a condition or permits that lie on a fiber's stack
//   roots        every other writable memory of the process, the other fibers' stacks included
// A word in the roots that points to a candidate's object (on a stack: into the frames that it may be a part of), or to a
// handle on its stack (which it may have lent somebody), makes it live; what is live is searched in its turn, and may do
// what it likes with what lies on its stack. What remains has no reference from outside. That is suspected, not proven: a
// handle may be in a register just now, and a reference may be to an object that has the handle far inside. Costs a pass
// over the process's memory.
#pragma once

#include <spool/runtime/detail/fiber_list.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace spool::detail {

/// To be called on a plain thread. The ids of such fibers, of any runtime, among those that have waited for so long.
/// Nothing: no fiber might be one, or memory cannot be searched, or is too large for it, or `goes_on`, which is asked every
/// now and then, said no.
std::optional<std::vector<std::uint64_t>> find_unreachable(
    std::chrono::milliseconds waited = {}, const std::function<bool()>& goes_on = [] { return true; });

/// What a report read of fibers would itself pass for references to their channels: it is overwritten.
void forget(std::span<fiber_info> fibers) noexcept;

}  // namespace spool::detail
