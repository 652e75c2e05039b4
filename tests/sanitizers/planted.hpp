// What the planted bugs have in common: fibers that have changed their thread.
#pragma once

#include <spool/spool.hpp>

#include <runtime/threads.hpp>

#include <atomic>
#include <chrono>

namespace spool_test {

/// Fibers that others can steal, for as long as it lives; to be made and destroyed by a fiber.
class commotion {
 public:
  commotion() {
    for (int i = 0; i < 8; ++i) {
      all_.go([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
          compute_for(std::chrono::microseconds(20));
          spool::this_fiber::yield();
        }
      });
    }
  }
  ~commotion() {
    stop_ = true;
    all_.wait();
  }

 private:
  std::atomic<bool> stop_{false};
  spool::wait_group all_;
};

/// Returns on another thread than it was called on.
inline void migrate() {
  const auto began_on = thread_now();
  while (thread_now() == began_on) {
    compute_for(std::chrono::microseconds(20));
    spool::this_fiber::yield();
  }
}

}  // namespace spool_test
