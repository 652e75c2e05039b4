// Where a thread is just now, from another thread: a signal makes it write down its return addresses.
//
// The signal is SIGPROF, which workers never block. Its handler is ours only while a sample is under way; what comes
// meanwhile from a profiler is passed on to the handler that was there. A system call that the thread is in is restarted, or
// ends with EINTR if it is one that never is (poll, nanosleep).
#pragma once

#include <pthread.h>

#include <string>

namespace spool::detail {

class fiber;

struct stack_sample {
  const fiber* running = nullptr;  // by the worker whose thread it is; null: none. It may have ended since.
  std::string calls;               // innermost first, each begun with "\n    "; empty: the thread did not answer
};

stack_sample sample_stack(pthread_t thread);

}  // namespace spool::detail
