// Boost.Fiber as it comes, under the two schedulers its users choose from:
//   round_robin    the default; one thread
//   work_stealing  its only scheduler that moves fibers; on two threads, polling as it does by default
#pragma once

#include <boost/fiber/all.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace bench {

// A fresh thread gets a fresh scheduler; nothing is left of the row before.
struct round_robin {
  template <class F>
  static void run(F&& body) {
    std::thread(std::forward<F>(body)).join();
  }
};

// work_stealing keeps its group in static members: one group per process, of a size fixed for good. Hence one
// group for all rows; between rows its threads wait in the operating system, or their polling would slow
// every other row.
class stealing_group {
 public:
  static stealing_group& instance() {
    static stealing_group group;
    return group;
  }

  void run(std::function<void()> body) {
    std::unique_lock lock(mu_);
    body_ = std::move(body);
    body_done_ = false;
    members_busy_ = 2;
    ++round_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return members_busy_ == 0; });
  }

  stealing_group(const stealing_group&) = delete;
  stealing_group& operator=(const stealing_group&) = delete;

 private:
  stealing_group() : leader_([this] { member(true); }), follower_([this] { member(false); }) {}

  ~stealing_group() {
    {
      const std::lock_guard lock(mu_);
      stopping_ = true;
    }
    changed_.notify_all();
    leader_.join();
    follower_.join();
  }

  void member(bool leads) {
    boost::fibers::use_scheduling_algorithm<boost::fibers::algo::work_stealing>(2U);
    for (std::uint64_t seen = 0;;) {
      {
        std::unique_lock lock(mu_);
        changed_.wait(lock, [&] { return stopping_ || round_ != seen; });
        if (stopping_) return;
        seen = round_;
      }
      leads ? lead() : follow();
      const std::lock_guard lock(mu_);
      --members_busy_;
      changed_.notify_all();
    }
  }

  void lead() {
    body_();
    const std::lock_guard lock(fiber_mu_);
    body_done_ = true;
    fiber_changed_.notify_all();
  }

  // Waits as a fiber, so that this thread's scheduler steals and runs what the leader starts.
  void follow() {
    std::unique_lock lock(fiber_mu_);
    fiber_changed_.wait(lock, [this] { return body_done_; });
  }

  std::mutex mu_;  // guards round_, body_, members_busy_, stopping_
  std::condition_variable changed_;
  std::uint64_t round_ = 0;
  std::function<void()> body_;
  int members_busy_ = 0;
  bool stopping_ = false;

  boost::fibers::mutex fiber_mu_;  // guards body_done_ while a round runs
  boost::fibers::condition_variable fiber_changed_;
  bool body_done_ = false;

  std::thread leader_;
  std::thread follower_;
};

struct work_stealing {
  template <class F>
  static void run(F&& body) {
    stealing_group::instance().run(std::forward<F>(body));
  }
};

}  // namespace bench
