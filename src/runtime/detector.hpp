// Proves that fibers can never go on. The proof is about the whole process: every worker of every runtime sleeps, nothing
// is queued, no timer is armed or being fired, no blocking call runs, nothing outside (signal, I/O) is registered, and
// every thread of the process is spool's own or blocked in a wait of spool's that has no deadline. Then nothing is left
// that could act, whoever holds a reference to what. Two looks around the count of threads see the same activity, so it
// held at one instant.
#pragma once

#include <spool/runtime/detail/fiber_list.hpp>

#include <vector>

namespace spool::detail {

class scheduler;

/// True: no fiber that waits now, of any runtime, can ever wake.
bool nothing_can_happen() noexcept;

/// Takes the waiting fibers of `s` out of what they wait on, never to be resumed. To be called when nothing_can_happen().
/// Returns whom; empty when one of them was claimed after all. The caller tells of them, then has `s` give them up: with
/// that its run may end.
std::vector<fiber_info> abandon_waiting(scheduler& s);

/// The same for those fibers that wait where nobody can find them: on a nil channel, on the background context. Of these
/// alone it holds whatever else goes on in the process.
std::vector<fiber_info> abandon_waiting_on_nobody(scheduler& s);

}  // namespace spool::detail
