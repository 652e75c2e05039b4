#include "plain_timers.hpp"

#include "blocked_signals.hpp"
#include "plain_threads.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>

namespace spool::detail {
namespace {

template <class F>
void until_done(F step) noexcept {
  for (;;) {
    try {
      return step();
    } catch (const std::exception&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

class timer_thread {
 public:
  static timer_thread& instance() {
    static auto* only = new timer_thread;  // outlives every static object
    return *only;
  }

  void arm(timer_node& node, time_point when) {
    const std::lock_guard lock(mutex_);
    // The thread first. Were the node in the queue already when this fails, others would have relied on its thread.
    run_thread();
    if (queue_.arm(node, when)) look_again();
  }

  /// Nobody can be told that there is no memory or no thread for what is still armed: it waits until there is.
  void adopt(timer_queue& from) noexcept {
    until_done([&] { timer_queue::release(from, queue_); });
    until_done([&] {
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) return;
      run_thread();
      look_again();
    });
  }

  bool armed() const noexcept { return !queue_.empty(); }

 private:
  timer_thread() : queue_(timer_queue::acquire()) {}

  // Both under mutex_.
  /// A timer came that is earlier than all others.
  void look_again() noexcept {
    ++changes_;
    changed_.notify_one();
  }
  void run_thread() {
    if (running_) return;
    if (thread_.joinable()) thread_.join();  // it has left its loop for good
    const blocked_signals inherited;
    thread_ = std::thread([this] { run(); });
    running_ = true;
  }

  void run() {
    const own_thread counted;
    ::pthread_setname_np(::pthread_self(), "spool-timers");
    std::unique_lock lock(mutex_);
    while (!queue_.empty()) {
      const auto seen = changes_;
      changed_.wait_until(lock, queue_.next_deadline(), [&] { return changes_ != seen; });
      lock.unlock();
      {
        const firing_thread firing;
        queue_.fire_due(clock::now());
      }
      lock.lock();
    }
    running_ = false;
    thread_.detach();
    thread_ = {};
  }

  timer_queue& queue_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ = 0;   // guarded by mutex_
  bool running_ = false;        // guarded by mutex_
  std::thread thread_;          // guarded by mutex_
};

}  // namespace

void arm_timer(timer_node& node, time_point when) {
  worker* w = current_worker();
  if (w != nullptr) {
    w->timers.arm(node, when);
  } else {
    timer_thread::instance().arm(node, when);
  }
}

void arm_timer_again(timer_node& node, timer_queue& from, time_point when) noexcept {
  until_done([&] { from.arm(node, when); });
}

void release_timers(timer_queue& queue) noexcept {
  timer_thread::instance().adopt(queue);
}

bool plain_timers_armed() noexcept {
  return timer_thread::instance().armed();
}

}  // namespace spool::detail
