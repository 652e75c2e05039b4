#include "futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>

namespace spool::detail {

#ifdef BOOST_USE_TSAN
namespace {

// ThreadSanitizer runs a signal's handler at the next call that it intercepts, and that of a futex is none: a thread
// that takes signals would never run it if it stayed there. pthread_sigmask is intercepted.
time_point while_signals_may_wait(time_point deadline) noexcept {
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  if (sigismember(&blocked, SIGTERM) == 1) return deadline;  // a thread of spool's own, which takes none
  return std::min(deadline, clock::now() + std::chrono::milliseconds(20));
}

}  // namespace
#endif

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, time_point deadline) noexcept {
#ifdef BOOST_USE_TSAN
  deadline = while_signals_may_wait(deadline);
#endif
  timespec until{};
  const timespec* limit = nullptr;
  if (deadline != time_point::max()) {
    const auto ns = std::max<std::int64_t>(
        0, std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.time_since_epoch()).count());
    until.tv_sec = static_cast<std::time_t>(ns / 1'000'000'000);
    until.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    limit = &until;
  }
  // WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, which is what steady_clock reads.
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wake(std::atomic<std::uint32_t>& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace spool::detail
