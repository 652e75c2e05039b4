// Signals are taken by one place, not by spool's threads. A thread inherits its mask, so it is set before the thread is
// made: one that blocked its signals itself could be hit before it came to that.
#pragma once

#include <pthread.h>

#include <csignal>

namespace spool::detail {

/// While it lives, the calling thread, and what it starts, takes no signal but those that a fault raises.
class blocked_signals {
 public:
  blocked_signals() noexcept {
    sigset_t set;
    sigfillset(&set);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) sigdelset(&set, fault);
    ::pthread_sigmask(SIG_SETMASK, &set, &before_);
  }
  ~blocked_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  blocked_signals(const blocked_signals&) = delete;
  blocked_signals& operator=(const blocked_signals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace spool::detail
