// The thread pool that a C++ service writes: a bounded queue of std::function and threads that run them.
#pragma once

#include "bounded_queue.hpp"

#include <cstddef>
#include <functional>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

class thread_pool {
 public:
  static constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

  thread_pool(std::size_t threads, std::size_t queue_capacity) : queue_(queue_capacity) {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        while (auto job = queue_.pop()) (*job)();
      });
    }
  }

  ~thread_pool() {
    queue_.close();
    for (auto& thread : threads_) thread.join();
  }

  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  void post(std::function<void()> job) { queue_.push(std::move(job)); }

 private:
  bounded_queue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace bench
