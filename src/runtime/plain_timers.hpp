// Timers that plain threads arm, and those that outlive their runtime: one thread for the process, which ends when no
// timer is left.
#pragma once

#include "timer_queue.hpp"

namespace spool::detail {

/// Gives a worker's queue back; what is still armed fires on the timer thread.
void release_timers(timer_queue& queue) noexcept;

/// The timer thread has timers to serve, beside those that it fires.
bool plain_timers_armed() noexcept;

}  // namespace spool::detail
