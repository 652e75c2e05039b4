#include "futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace spool::detail {

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, time_point deadline) noexcept {
#ifdef __SANITIZE_THREAD__
  // ThreadSanitizer runs a signal's handler at the next call that it intercepts, and this system call is none: a thread
  // that waits here without end would never run it.
  deadline = std::min(deadline, clock::now() + std::chrono::milliseconds(20));
  ::usleep(0);
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
