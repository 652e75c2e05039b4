// One runtime's engine: its workers, the inbox for work from outside, and the counts by which it knows that all is done.
//
// Live fibers = spawned - finished, each summed over monotone counters that only one thread writes. Read all of
// `finished` first, then `spawned`: when the sums agree, nothing was alive in between.
#pragma once

#include "blocking_threads.hpp"
#include "idle_set.hpp"
#include "monitor.hpp"
#include "plain_timers.hpp"
#include "stack_depot.hpp"
#include "worker.hpp"

#include <spool/runtime/detail/fiber_list.hpp>
#include <spool/runtime/detail/reactor.hpp>
#include <spool/runtime/runtime.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace spool::detail {

class seeded;

class scheduler {
 public:
  /// `driver`: of a seeded runtime, else null.
  scheduler(runtime_options options, runtime& handle, std::unique_ptr<seeded> driver = nullptr);
  ~scheduler();

  // From any thread.
  void spawn_task(task& t) noexcept;
  void make_ready(fiber& f) noexcept;
  /// Everything that waits in the inbox, in the order in which it came.
  runnable_chain take_inbox() noexcept;
  bool inbox_empty() const noexcept { return inbox_.load(std::memory_order_seq_cst) == nullptr; }
  std::size_t live() const noexcept;
  void count_guest(int change) noexcept { guests_.fetch_add(change, std::memory_order_acq_rel); }

  // The end.
  void begin_run();
  void begin_stop() noexcept;
  void wait_until_drained() noexcept;
  void finish_stop() noexcept;        // ready for another run
  bool stopping() const noexcept { return stopping_.load(std::memory_order_seq_cst); }
  bool exiting() const noexcept { return exiting_.load(std::memory_order_seq_cst); }
  void check_drained() noexcept;      // by a worker about to sleep
  void give_up(std::size_t fibers) noexcept;  // that many were abandoned

  reactor& attach_reactor(std::unique_ptr<reactor> (*make)());
  /// Null until something was attached.
  reactor* attached_reactor() const noexcept { return reactor_.load(std::memory_order_seq_cst); }
  /// One thread at a time is inside the reactor.
  bool enter_reactor() noexcept {
    return attached_reactor() != nullptr && !reactor_taken_.exchange(true, std::memory_order_seq_cst);
  }
  void leave_reactor() noexcept { reactor_taken_.store(false, std::memory_order_seq_cst); }
  bool reactor_unattended() const noexcept {
    return attached_reactor() != nullptr && !reactor_taken_.load(std::memory_order_seq_cst);
  }
  bool reactor_poll_due(time_point now) const noexcept {
    return now.time_since_epoch().count() >= next_reactor_poll_.load(std::memory_order_relaxed);
  }
  /// By who is inside the reactor. I/O that comes thick and fast is looked for more often than I/O that does not come.
  void reactor_polled(time_point now, bool found) noexcept {
    reactor_interval_ = found ? shortest_reactor_interval : std::min(reactor_interval_ * 2, longest_reactor_interval);
    next_reactor_poll_.store((now + reactor_interval_).time_since_epoch().count(), std::memory_order_relaxed);
  }

  void* attach(attachment (*make)());
  void drop_attachments() noexcept;   // nobody starts a fiber through them any more

  /// Fibers with a stack, but for the idle ones that lie in the depot; those in workers' caches count.
  std::size_t stacks_in_use() const noexcept {
    const std::size_t idle = spare_runners_.batches() * runner_cache::batch;
    const std::size_t all = enlisted_.load(std::memory_order_relaxed);
    return all > idle ? all - idle : 0;
  }
  /// So many that tasks had better be finished than begun: more than the workers' caches hold.
  std::size_t many_stacks() const noexcept { return 2 * runner_cache::batch * workers_.size(); }

  // Reports.
  void enlist(fiber& f) noexcept;
  void delist(fiber& f) noexcept;
  void rename(fiber& f, std::string_view name);
  void report_escaped_exception(const fiber& f) noexcept;
  fiber_info describe(fiber& f, time_point now) const;  // registry lock held
  std::vector<fiber_info> describe_all();               // without the holders of locks
  std::string describe(const fiber* f) const;           // f may have ended
  spool::stack_usage stack_usage() const;
  std::mutex& registry_mutex() noexcept { return registry_mutex_; }
  intrusive_list<fiber>& fibers() noexcept { return fibers_; }

  stack_depot& stacks() noexcept { return stacks_; }
  const runtime_options& options() const noexcept { return options_; }
  const std::vector<std::unique_ptr<worker>>& workers() const noexcept { return workers_; }
  idle_set& idle() noexcept { return idle_; }
  runner_depot& spare_runners() noexcept { return spare_runners_; }
  blocking_threads& helpers() noexcept { return helpers_; }
  runtime& handle() noexcept { return handle_; }
  seeded* driver() const noexcept { return driver_.get(); }
  /// Changes whenever something may have become runnable; the detector compares two readings.
  std::uint64_t activity() const noexcept { return activity_.load(std::memory_order_seq_cst); }
  void note_activity() noexcept { activity_.fetch_add(1, std::memory_order_seq_cst); }
  /// One of its fibers ends the process: there is nothing left to wait for.
  void note_process_exit() noexcept { process_exits_.store(true, std::memory_order_release); }
  bool process_exits() const noexcept { return process_exits_.load(std::memory_order_acquire); }
  /// True while every worker sleeps and nothing is queued.
  bool at_rest() const noexcept;
  void wake_monitor() noexcept { monitor_.wake(); }

  /// A fiber keeps its worker busy while others wait in its queue: whoever polls next robs it, even with work of its own.
  void ask_for_relief() noexcept { relief_wanted_.store(true, std::memory_order_relaxed); }
  bool take_relief_duty() noexcept {
    return relief_wanted_.load(std::memory_order_relaxed) && relief_wanted_.exchange(false, std::memory_order_relaxed);
  }

  /// Tasks for which no stack was to be had. Any worker with an idle runner takes them.
  void starve(task& t) noexcept;
  bool starving() const noexcept { return starving_.load(std::memory_order_seq_cst); }
  runnable_chain take_starved() noexcept;

 private:
  static constexpr std::chrono::nanoseconds shortest_reactor_interval{4'000};
  static constexpr std::chrono::nanoseconds longest_reactor_interval{32'000};
  void inject(runnable& r) noexcept;
  void stop_threads() noexcept;

  const runtime_options options_;
  runtime& handle_;
  const std::unique_ptr<seeded> driver_;
  stack_depot& stacks_;
  idle_set idle_;
  runner_depot spare_runners_;
  alignas(cache_line_bytes) std::atomic<runnable*> inbox_{nullptr};  // LIFO; turned round when taken
  std::atomic<std::uint64_t> spawned_outside_{0};
  std::atomic<std::uint32_t> injectors_{0};  // threads inside inject(): the scheduler must outlive them
  std::atomic<std::uint64_t> abandoned_{0};
  std::atomic<int> guests_{0};
  std::atomic<std::uint64_t> activity_{0};
  std::atomic<bool> relief_wanted_{false};
  std::unique_ptr<reactor> reactor_owner_;   // guarded by attachment_mutex_; set once
  std::atomic<reactor*> reactor_{nullptr};
  std::atomic<clock::rep> next_reactor_poll_{0};
  alignas(cache_line_bytes) std::atomic<bool> reactor_taken_{false};
  std::chrono::nanoseconds reactor_interval_ = shortest_reactor_interval;  // guarded by reactor_taken_
  thread_lock starved_lock_;
  runnable_chain starved_;                   // guarded by starved_lock_
  std::atomic<bool> starving_{false};        // starved_ holds something
  std::atomic<bool> stopping_{false};
  std::atomic<bool> exiting_{false};
  std::atomic<bool> process_exits_{false};

  std::mutex drain_mutex_;
  wait_queue drain_waiters_;                // guarded by drain_mutex_
  unsigned runs_ = 0;                       // guarded by drain_mutex_
  std::mutex attachment_mutex_;
  attachment attachment_;                   // guarded by attachment_mutex_, as the next two
  attachment retired_;                      // the last run's: references to its root() may still be about
  bool attachment_ended_ = false;           // since the last end, until the next run begins
  mutable std::mutex registry_mutex_;
  mutable intrusive_list<fiber> fibers_;    // guarded by registry_mutex_
  std::atomic<std::size_t> enlisted_{0};    // its length

  std::vector<std::unique_ptr<worker>> workers_;
  blocking_threads helpers_;
  monitor monitor_;
};

/// Every scheduler of the process, for the detector.
class scheduler_registry {
 public:
  static void add(scheduler& s);
  static void remove(scheduler& s) noexcept;
  template <class F>
  static bool all_of(F&& f) {
    const std::lock_guard lock(mutex());
    for (scheduler* s : list()) {
      if (!f(*s)) return false;
    }
    return true;
  }
  /// Every fiber of the process that runs a task, under its runtime's registry lock.
  template <class F>
  static void for_each_busy_fiber(F&& f) {
    all_of([&](scheduler& s) {
      const std::lock_guard lock(s.registry_mutex());
      auto& fibers = s.fibers();
      for (fiber* each = fibers.front(); each != nullptr; each = fibers.next(*each)) {
        if (each->busy()) f(*each);
      }
      return true;
    });
  }

 private:
  static std::mutex& mutex();
  static std::vector<scheduler*>& list();
};

}  // namespace spool::detail
