// What a seeded runtime has beyond a scheduler: the schedule of the run that is under way, its fibers that are ready, its
// clock, and how it came about and ends. All of it belongs to the runtime's one worker thread, but for the request, which
// start_ hands over.
#pragma once

#include "seeded_schedule.hpp"

#include <spool/runtime/detail/seeded.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <atomic>
#include <cstdint>
#include <vector>

namespace spool::detail {

class fiber;
class scheduler;

class seeded {
 public:
  struct request {
    std::uint64_t seed;
    std::function<void()> body;
    seeded_session::next_seed next;
    start_site where;
    waiter* caller;
  };

  explicit seeded(const seeded_options& options);
  ~seeded();
  seeded(const seeded&) = delete;
  seeded& operator=(const seeded&) = delete;

  // From the session's thread.
  void ask(request r);
  void set_length(std::uint64_t decisions) noexcept { schedule.set_length(decisions); }
  bool asked() const noexcept { return asked_.load(std::memory_order_seq_cst); }

  // At home.
  /// Begins what was asked for. False: nothing was.
  bool begin_asked(scheduler& s);
  bool running() const noexcept { return running_; }
  /// No further decision is to be taken in this run.
  bool over() const noexcept { return running_ && (escaped_ || schedule.endless()); }
  void end(scheduler& s);
  void add(runnable& r);
  bool any_ready() const noexcept { return !ready_.empty(); }
  ready_fiber take();
  /// Wakes the fibers that wait for all others to wait. False: there are none.
  bool wake_settled() noexcept;
  void note_outside() noexcept { outside_ = true; }

  time_point now() const noexcept { return now_; }
  void advance_to(time_point t) noexcept { now_ = t; }
  /// Something outside of the runtime may act on it: a helper thread, or a thread or runtime begun since the session was.
  bool outside_busy(scheduler& s) noexcept;

  // On a fiber.
  std::uint64_t seed() const noexcept { return outcome_.seed; }
  void note_escaped(const fiber& f);
  void wait_settled();
  void hold(int change) noexcept { holds_ += change; }
  bool held() const noexcept { return holds_ != 0; }
  void note_preemption() noexcept { preempted_ = true; }
  bool take_preemption() noexcept { return std::exchange(preempted_, false); }

  seeded_schedule schedule;

 private:
  void begin_run(scheduler& s, std::uint64_t seed);
  void abandon(scheduler& s);

  std::atomic<bool> asked_{false};
  request request_{};
  bool running_ = false;
  bool body_done_ = false;
  bool escaped_ = false;
  bool preempted_ = false;
  bool outside_ = false;
  bool broken_ = false;
  int holds_ = 0;
  std::uint32_t numbers_ = 0;
  seeded_outcome outcome_;
  std::vector<ready_fiber> ready_;
  wait_queue settling_;
  time_point now_ = std::chrono::steady_clock::now();
  std::int64_t threads_before_;
  const std::int64_t sources_before_;
  std::vector<const scheduler*> runtimes_before_;
};

}  // namespace spool::detail
