// How contexts take their spin locks: by spinning on the thread, never by yielding the fiber.
//
// A cancellation holds the locks of a whole path of contexts at once. Were its fiber to yield meanwhile, a timer that
// fires in the scheduler, where nothing can yield, would spin for a lock whose holder waits for that very worker.
// No holder of a context's lock ever leaves its thread by itself, so spinning ends as soon as the OS lets the holder go
// on.
#pragma once

#include <spool/runtime/detail/spin_lock.hpp>

#include <thread>

namespace spool::detail {

inline void lock_on_thread(spin_lock& lock) noexcept {
  for (unsigned tries = 0; !lock.try_lock(); ++tries) {
    if (tries < 64) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else {
      std::this_thread::yield();
    }
  }
}

class [[nodiscard]] thread_guard {
 public:
  explicit thread_guard(spin_lock& lock) noexcept : lock_(lock) { lock_on_thread(lock_); }
  ~thread_guard() { lock_.unlock(); }
  thread_guard(const thread_guard&) = delete;
  thread_guard& operator=(const thread_guard&) = delete;

 private:
  spin_lock& lock_;
};

}  // namespace spool::detail
