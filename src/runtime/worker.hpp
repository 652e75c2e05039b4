// A worker: one OS thread, its run queue, its timers, and the switching between fibers.
//
// Contexts on a worker's thread: `home`, the thread's own stack, which finds work and sleeps; Boost's dispatcher, which home
// resumes when Boost's own primitives need service; and fibers. A fiber that stops running picks the next one and
// switches to it directly; only when its queue has nothing, or now and then, does it switch home.
//
// What a fiber leaves to be done once it is off its stack (`left_`, `after_`) is done by whoever runs next on the thread,
// first of all, in arrive(): not before that may another thread resume the fiber. A context that goes on inside Boost's
// code cannot call it; for such a one Boost calls awakened() on the other side of resume(context*), with the same effect.
#pragma once

#include "bias_lease.hpp"
#include "fiber.hpp"
#include "run_queue.hpp"
#include "runner_depot.hpp"
#include "timer_queue.hpp"

#include <spool/runtime/detail/biased_lock.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <latch>
#include <thread>

#include <sys/types.h>

namespace spool::detail {

class boost_algorithm;
class seeded;

class alignas(cache_line_bytes) worker : public list_hook {
 public:
  worker(scheduler& owner, unsigned index);
  void start();
  void await_start();                    // throws what kept it from starting
  void join();

  // On a fiber of this worker. Each returns when the fiber is resumed, maybe on another worker's thread.
  void park() noexcept;                  // published as parked once off its stack
  void park(biased_lock& held) noexcept;   // the same; releases `held`, where who wakes it finds it
  void yield() noexcept;
  void retire(fiber* next) noexcept;     // a runner without a task: wait for one, and let `next` (or home) go on

  /// Whoever has just been resumed on this thread: finishes what the fiber left behind that ran before.
  void arrive() noexcept {
    if (after_ != after::nothing) finish_switch();
  }

  /// Of a seeded runtime: its fiber has made another ready, which may go first.
  void preempt() noexcept;

  /// The next item of this worker's own queues; null when it is time to go home.
  runnable* pick_local() noexcept;

  void push(runnable& r) noexcept;       // this worker's thread only
  void push_next(fiber& f) noexcept;
  /// A pinned fiber becomes ready; from any thread.
  [[gnu::noinline]] void push_pinned(fiber& f) noexcept;

  // Fibers that talk, see worker_contention.cpp.
  /// The running fiber found a lock taken. If that happens all the time it moves to the worker that `mark` names.
  void meet_contention(contention_mark& mark) noexcept;
  /// This thread: whether a lock may be biased towards it now.
  bool may_take_bias() noexcept;
  /// Any thread: fibers that moved here while this worker computes go to whoever has the time.
  void give_back_moved() noexcept;

  /// Any thread: the fiber that runs gives way at its next operation, and home looks who waits. To be asked for again if
  /// that did not help: the worker may overwrite the budget that it counts down. Each cut may put steps() ahead by a turn.
  void cut_turn_short() noexcept {
    budget_.store(1, std::memory_order_relaxed);
    attention_.store(true, std::memory_order_seq_cst);
    wake_thread();  // it may have fallen asleep meanwhile
  }

  /// True: it was the last of the turn.
  bool spend_budget() noexcept {
    const unsigned left = budget_.load(std::memory_order_relaxed) - 1;
    budget_.store(left, std::memory_order_relaxed);
    return left == 0;
  }
  caller as_caller() const noexcept { return {current_, bias.id()}; }
  /// Of the fiber that calls, if one does; it may go on on another worker.
  [[gnu::cold]] caller end_turn_of_caller() noexcept {
    const fiber* self = current_;
    end_turn();
    return self != nullptr ? self->on->as_caller() : as_caller();
  }
  void count_spawned() noexcept { spawned_.store(spawned_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  void count_finished() noexcept {
    finished_.store(finished_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  void clear_fiber_specific_data(fiber& f) noexcept;
  /// At the thread's end. If that came by an exit of the process on it: Boost may end its contexts, whoever runs.
  void leave_thread_to_exit() noexcept;

  fiber* current() const noexcept { return current_; }
  /// What becomes ready on this thread while no fiber runs on it.
  void push_at_home(runnable& r) noexcept;

  // Values of sleep_word_; who calls a sleeper knows by it where to reach it.
  static constexpr std::uint32_t awake = 0;
  static constexpr std::uint32_t asleep = 1;
  static constexpr std::uint32_t called = 2;
  static constexpr std::uint32_t in_reactor = 3;

  scheduler& owner;
  const unsigned index;
  const bias_lease bias;
  timer_queue& timers;
  run_queue queue;
  std::atomic<std::uint64_t> spawned_{0};
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<std::uint64_t> switches_{0};     // grows while the worker goes from fiber to fiber; the monitor's pulse
  std::atomic<bool> attention_{false};         // something waits at home: a remote wake-up of Boost's, a pinned fiber, a cut
  std::atomic<std::uint32_t> sleep_word_{awake};   // see idle_set
  std::atomic<time_point> boost_deadline{time_point::max()};  // the earliest of Boost's sleepers here
  bool asleep_in_set = false;                  // guarded by idle_set's lock
  void wake_thread() noexcept;
  /// From any thread: it neither sleeps nor naps.
  bool runs() const noexcept { return sleep_word_.load(std::memory_order_relaxed) == awake; }
  pthread_t thread() noexcept { return thread_.native_handle(); }
  const boost::fibers::context* dispatcher() const noexcept { return dispatcher_; }  // Boost's
  /// From any thread: its thread runs, and what follows is known.
  bool started() const noexcept { return known_.load(std::memory_order_acquire); }
  pid_t thread_number() const noexcept { return thread_number_; }  // the kernel's
  std::uint64_t random() noexcept;
  /// Operations of its fibers so far, and their switches. From any thread: a moment's truth, off by a turn at worst.
  std::uint64_t steps() const noexcept {
    return switches_.load(std::memory_order_relaxed) + ended_turns_.load(std::memory_order_relaxed) + operations_per_turn -
           budget_.load(std::memory_order_relaxed);
  }

 private:
  friend class boost_algorithm;
  enum class after : std::uint8_t { nothing, publish, unlock, requeue, retire, move, exit };
  static constexpr unsigned picks_between_polls = 61;
  static constexpr unsigned operations_per_turn = 512;
  static constexpr unsigned most_patience = 4;

  void run() noexcept;                              // the thread
  void set_up();
  void loop() noexcept;                             // at home
  // The same for a seeded runtime, see worker_seeded.cpp.
  void loop_seeded() noexcept;
  void gather() noexcept;
  void resume_chosen(seeded& s) noexcept;
  bool wait_for_more(seeded& s) noexcept;
  bool wait_for_outside(seeded& s) noexcept;
  void rest_seeded(const seeded& s, time_point until) noexcept;
  runnable* find_runnable() noexcept;
  void poll() noexcept;
  void resume_from_home(runnable* r) noexcept;
  void serve_boost(bool idle) noexcept;
  void end_runners(runnable_chain spare) noexcept;
  void drain_pinned_inbox() noexcept;
  void drain_moved() noexcept;
  runnable* search() noexcept;
  runnable* steal_from_others() noexcept;
  bool linger() noexcept;
  void sleep() noexcept;
  bool watch() noexcept;
  void rest(std::uint32_t where, time_point until) noexcept;
  void poll_reactor() noexcept;
  bool work_in_sight() const noexcept;
  bool queues_in_sight() const noexcept;

  void switch_to(fiber& to, after what) noexcept;
  [[gnu::noinline]] void switch_home(after what) noexcept;
  void prepare(fiber& to) noexcept;                 // bookkeeping before `to` is resumed here
  void link_into_boost(fiber& f) noexcept;          // for what follows in Boost's own code
  void unlink_all_from_boost() noexcept;            // it waits for none of them when it ends
  void resume(fiber& to) noexcept;                  // prepared before; returns when who called it is resumed
  [[gnu::noinline]] void resume_inside_boost(fiber& to) noexcept;
  void finish_switch() noexcept;                    // does after_ for left_
  [[gnu::cold]] void hand_thread_over(fiber& exiting) noexcept;  // to who calls exit; does not come back
  [[gnu::noinline]] fiber* runner_for(task& t) noexcept;  // null: no stack; the task was put aside
  [[gnu::noinline]] runnable* pick_pinned() noexcept;   // or of the queue, by turns
  void leave_for(runnable* next, after what) noexcept;
  void end_turn() noexcept;                         // of a fiber whose budget is spent
  void renew_budget() noexcept {
    const unsigned spent = operations_per_turn - budget_.load(std::memory_order_relaxed);
    ended_turns_.store(ended_turns_.load(std::memory_order_relaxed) + spent, std::memory_order_relaxed);
    budget_.store(operations_per_turn, std::memory_order_relaxed);
  }
  [[gnu::noinline]] void receive(fiber& moved) noexcept;              // from the worker that it left

  // The owner thread's alone, but for budget_, see cut_turn_short().
  fiber* current_ = nullptr;
  fiber* left_ = nullptr;
  after after_ = after::nothing;
  biased_lock* held_ = nullptr;    // with after::unlock
  unsigned picks_left_ = picks_between_polls;
  std::uint32_t polled_at_ = 0;    // by coarse_clock
  std::atomic<unsigned> budget_{operations_per_turn};
  std::atomic<std::uint64_t> ended_turns_{0};  // operations in turns that have ended
  boost::fibers::context* home_ = nullptr;
  boost::fibers::context* dispatcher_ = nullptr;
  boost::fibers::scheduler* boost_scheduler_ = nullptr;
  bool boost_in_use_ = false;      // somebody waited in a Boost primitive: its dispatcher needs turns
  bool dispatcher_may_idle_ = false;
  exception_state* exceptions_ = nullptr;
  runner_cache idle_runners_;
  stack_cache new_stacks_;
  runnable_chain pinned_;          // ready pinned fibers
  bool retry_stacks_ = false;      // the kernel may have memory again: try the starved tasks
  bool pinned_turn_ = false;
  bool serving_reactor_ = false;
  std::chrono::nanoseconds nap_{};
  unsigned patience_ = 0;          // times to linger in vain
  std::uint64_t random_state_;
  unsigned contentions_ = 0;       // in the present burst
  bool contended_ = false;         // the last burst was a short one
  bool bounced_ = false;           // a fiber has moved away since this worker last robbed another
  time_point burst_began_{};
  std::uint32_t withdrawals_seen_ = withdrawals_from(bias.id());
  time_point biases_from_{};
  fiber* mover_ = nullptr;         // goes to destination_ once its operation is complete
  worker* destination_ = nullptr;
  std::atomic<runnable*> pinned_inbox_{nullptr};
  std::atomic<runnable*> moved_{nullptr};  // fibers that came from other workers, last first
  std::thread thread_;
  std::latch started_{1};
  std::atomic<bool> known_{false};
  pid_t thread_number_ = 0;           // set before started_
  std::exception_ptr start_failure_;  // set before started_
};

}  // namespace spool::detail
