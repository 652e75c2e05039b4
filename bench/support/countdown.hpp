// Tells a plain thread that a batch of jobs has run. Every pool's jobs count down on the same thing, so its
// cost is in every row alike.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace bench {

class countdown {
 public:
  void start(std::int64_t jobs) {
    finished_ = false;
    left_.store(jobs, std::memory_order_release);
  }

  void arrive() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const std::lock_guard lock(mu_);
    finished_ = true;
    changed_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] { return finished_; });
  }

 private:
  std::atomic<std::int64_t> left_{0};
  std::mutex mu_;  // guards finished_
  std::condition_variable changed_;
  bool finished_ = false;
};

}  // namespace bench
