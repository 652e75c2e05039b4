// Which thread runs the caller, how many there are, and work for the CPU.
#pragma once

#include <support/sanitized.hpp>

#include <dirent.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>

namespace spool_test {

/// A live thread; 0: none.
using thread_id = pthread_t;

/// The calling thread, without a system call, which would count as work. Not std::this_thread::get_id(): pthread_self is
/// declared const, so a compiler may keep its answer over a wait after which the fiber is on another thread.
[[gnu::noinline]] inline thread_id thread_now() {
  asm volatile("");
  return ::pthread_self();
}

#ifdef BOOST_USE_TSAN
inline const bool sanitizer_has_its_thread = (std::thread([] {}).join(), true);  // it starts one with the first of ours
#endif

inline std::size_t threads_of_process() {
  DIR* tasks = ::opendir("/proc/self/task");
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(tasks)) count += entry->d_name[0] != '.';
  ::closedir(tasks);
  return count;
}

/// Keeps the CPU busy.
inline void compute_for(std::chrono::nanoseconds d) {
  const auto end = std::chrono::steady_clock::now() + d;
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// Whether any fiber was seen on two threads. Each fiber makes its own `trail` and calls look() after each wait.
class migration_watch {
 public:
  class trail {
   public:
    explicit trail(migration_watch& watch) : watch_(watch), began_on_(thread_now()) {}
    void look() {
      if (thread_now() != began_on_) watch_.seen_.store(true, std::memory_order_relaxed);
    }

   private:
    migration_watch& watch_;
    const thread_id began_on_;
  };

  bool seen() const { return seen_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> seen_{false};
};

}  // namespace spool_test
