// Where a small program is played that looks stuck for a while: its fibers wait, the function of run has returned, and
// what will wake them is something that spool may not know about.
#pragma once

#include <support/runtimes.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace spool_test {

class stage {
 public:
  explicit stage(spool::runtime& rt) : rt_(rt) {}
  ~stage() { join(); }
  stage(const stage&) = delete;
  stage& operator=(const stage&) = delete;

  spool::runtime& rt() { return rt_; }

  /// Starts a fiber that must come to its end.
  template <class F>
  void fiber(F f) {
    ++started_;
    running_.add();
    rt_.go([this, f = std::move(f)]() mutable {
      f();
      ++ended_;
      running_.done();
    });
  }

  /// Starts a plain thread.
  template <class F>
  void thread(F f) {
    const std::lock_guard lock(mu_);
    threads_.emplace_back(std::move(f));
  }

  /// A plain thread that runs f when a detector that errs has had the time to.
  template <class F>
  void later(F f) {
    thread([f = std::move(f)]() mutable {
      std::this_thread::sleep_for(a_while);
      f();
    });
  }

  /// An object that lives as long as the stage.
  template <class T, class... Args>
  T& keep(Args&&... args) {
    auto made = std::make_shared<T>(std::forward<Args>(args)...);
    T& object = *made;
    const std::lock_guard lock(mu_);
    kept_.push_back(std::move(made));
    return object;
  }

  void join() {
    for (std::size_t i = 0;; ++i) {
      std::thread t;
      {
        const std::lock_guard lock(mu_);
        if (i == threads_.size()) break;
        t = std::move(threads_[i]);
      }
      t.join();
    }
    const std::lock_guard lock(mu_);
    threads_.clear();
  }

  /// Waits without a timer of its own, so that it looks as stuck as the rest.
  void wait_for_fibers() { running_.wait(); }

  int started() const { return started_; }
  int ended() const { return ended_; }

  static constexpr std::chrono::milliseconds a_while{25};

 private:
  spool::runtime& rt_;
  std::atomic<int> started_{0};
  std::atomic<int> ended_{0};
  spool::wait_group running_;
  std::mutex mu_;
  std::vector<std::thread> threads_;             // guarded by mu_
  std::vector<std::shared_ptr<void>> kept_;      // guarded by mu_
};

}  // namespace spool_test
