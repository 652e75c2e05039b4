// AddressSanitizer and fibers' stacks. Its replacement of swapcontext clears what it knows of the stack that is switched to,
// and does so again whenever who switched there comes back, on whatever thread: a variable out of scope would count as
// living from then on. Boost tells it of each switch, so nothing has to be cleared: our build calls libc's.
#pragma once

#include "stack_depot.hpp"

namespace spool::detail {

/// Of a fiber that never ended, variables may lie on the stack that it leaves behind. Does nothing in other builds.
void forget_variables(const stack_memory& stack) noexcept;

}  // namespace spool::detail
