// Where a thread is just now, from another thread: a signal makes it write down its return addresses.
//
// The signal is SIGPROF, which workers never block. Its handler is ours only while a sample is under way; what comes
// meanwhile from a profiler is passed on to the handler that was there. A system call that the thread is in is restarted, or
// ends with EINTR if it is one that never is (poll, nanosleep).
#pragma once

#include <spool/runtime/detail/fiber_list.hpp>

#include <pthread.h>
#include <sys/types.h>

#include <csignal>
#include <optional>
#include <string>

namespace spool::detail {

struct stack_sample {
  bool blocked = false;               // the kernel had put it to sleep when it was asked
  std::optional<fiber_info> running;  // by the worker whose thread it is. It may have ended since
  std::string calls;                  // innermost first, each begun with "\n    "; empty: the thread did not answer
};

/// The handler that a sample installs, which may stay for a while.
bool is_samplers(const struct sigaction& action) noexcept;

/// Of the thread whose number the kernel knows as `number`.
stack_sample sample_stack(pthread_t thread, pid_t number);

}  // namespace spool::detail
