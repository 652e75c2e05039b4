// Threads that take std::functions from moodycamel's BlockingConcurrentQueue, which has no bound.
#include "driver.hpp"

#include <concurrentqueue/blockingconcurrentqueue.h>

#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace {

class pool {
 public:
  explicit pool(std::size_t) {
    for (std::size_t i = 0; i < jobs::workers; ++i) {
      threads_.emplace_back([this] {
        std::function<void()> job;
        for (;;) {
          queue_.wait_dequeue(job);
          if (!job) return;
          job();
        }
      });
    }
  }
  ~pool() {
    for (std::size_t i = 0; i < threads_.size(); ++i) queue_.enqueue({});
    for (auto& thread : threads_) thread.join();
  }
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;

  template <class Job>
  void post(Job job) {
    queue_.enqueue(std::move(job));
  }

 private:
  moodycamel::BlockingConcurrentQueue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto* const row = jobs::row_named(argc, argv);
  if (row == nullptr) return 1;
  jobs::measure<pool>(*row, "concurrentqueue", jobs::large_queue);
}
