// What Boost.Fiber sees of us: the scheduling algorithm of one worker thread. Through it Boost's own primitives (mutex,
// condition_variable, future, sleep_for …) wait and wake on our fibers, and what they wake may migrate.
//
// pick_next may run under a primitive's spin lock: it takes from the local queue or returns home, and never steals,
// waits, polls or runs user code. Sleeping, remotely woken and terminated contexts are served by Boost's dispatcher only,
// which home resumes when it is idle, when notify() was called, and at a bounded interval.
#pragma once

#include <boost/fiber/algo/algorithm.hpp>

namespace spool::detail {

class fiber;
class worker;

class boost_algorithm final : public boost::fibers::algo::algorithm {
 public:
  explicit boost_algorithm(worker& w) noexcept : worker_(w) {}

  void awakened(boost::fibers::context* ctx) noexcept override;
  boost::fibers::context* pick_next() noexcept override;
  bool has_ready_fibers() const noexcept override;
  void suspend_until(const std::chrono::steady_clock::time_point& until) noexcept override;
  void notify() noexcept override;

 private:
  fiber& welcome(boost::fibers::context* ctx);
  void begin_dispatched(boost::fibers::context* ctx) noexcept;
  void go_on_in_boost(fiber& self) noexcept;
  boost::fibers::context* leave_current() noexcept;
  worker& worker_;
};

}  // namespace spool::detail
