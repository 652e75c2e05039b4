// A thread that looks after a runtime while it works: timers and queues of a worker that one fiber keeps busy, and, when
// nothing moves, the search for fibers that can never go on. It sleeps while all workers sleep.
#pragma once

#include "stuck_finder.hpp"
#include "wait_graph.hpp"

#include <spool/base/clock.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace spool::detail {

class scheduler;

class monitor {
 public:
  explicit monitor(scheduler& watched) noexcept : scheduler_(watched) {}
  void start();
  void stop() noexcept;
  /// From a worker that begins to work, and when the end is asked for. Costs a load unless the monitor sleeps.
  void wake() noexcept;

 private:
  void run() noexcept;
  void relieve_busy_workers(time_point now) noexcept;
  void watch_for_stuck(std::size_t worker, bool at_one_step, time_point now) noexcept;
  void look_for_rings(time_point now) noexcept;
  void look_for_stuck_fibers(time_point now) noexcept;
  std::vector<fiber_info> find_lost(time_point now) noexcept;
  void have_reactor_served() noexcept;
  bool look_for_deadlock() noexcept;
  bool rest_until(time_point until) noexcept;
  void watch_the_end(time_point now) noexcept;

  scheduler& scheduler_;
  std::atomic<std::uint32_t> word_{0};  // 1 while it sleeps for as long as nothing runs
  std::atomic<std::uint32_t> exit_{0};  // the monitor waits on it between ticks
  struct turn {
    std::uint64_t pulse = 0;
    std::uint64_t steps = 0;
    time_point began{};          // seen first; 0: the worker sleeps, or goes from step to step
    std::chrono::milliseconds report_after{};
  };
  std::vector<turn> turns_;      // of the workers
  ring_finder rings_;
  stuck_finder stuck_;
  time_point next_ring_look_{};
  time_point next_nobody_look_{};
  std::size_t next_to_serve_ = 0;
  std::uint64_t reported_activity_ = 0;  // the state that was reported, not to be reported twice
  time_point stop_began_{};
  time_point next_report_{};
  std::thread thread_;
};

}  // namespace spool::detail
