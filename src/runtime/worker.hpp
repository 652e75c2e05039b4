// A worker: one OS thread, its run queue, its timers, and the switching between fibers.
//
// Contexts on a worker's thread: `home`, the thread's own stack, which finds work and sleeps; Boost's dispatcher, which home
// resumes when Boost's own primitives need service; and fibers. A fiber that stops running picks the next one and
// switches to it directly; only when its queue has nothing, or now and then, does it switch home.
//
// What a fiber leaves to be done once it is off its stack (`after_`) is done by awakened(), which Boost calls on the
// other side of resume(context*): not before that may another thread resume the fiber.
#pragma once

#include "fiber.hpp"
#include "run_queue.hpp"
#include "runner_depot.hpp"
#include "timer_queue.hpp"

#include <atomic>
#include <cstdint>
#include <thread>

namespace spool::detail {

class boost_algorithm;

class alignas(cache_line_bytes) worker : public list_hook {
 public:
  worker(scheduler& owner, unsigned index);
  ~worker();
  void start();
  void join();

  // On a fiber of this worker. Each returns when the fiber is resumed, maybe on another worker's thread.
  void park() noexcept;                  // published as parked once off its stack
  void yield() noexcept;
  void retire(fiber* next) noexcept;     // a runner without a task: wait for one, and let `next` (or home) go on

  /// The next item of this worker's own queues; null when it is time to go home.
  runnable* pick_local() noexcept;

  void push(runnable& r) noexcept;       // this worker's thread only
  void push_next(runnable& r) noexcept;
  /// A pinned fiber becomes ready; from any thread.
  void push_pinned(fiber& f) noexcept;

  void spend_budget() noexcept {
    if (--budget_ == 0) yield();
  }
  void count_spawned() noexcept { spawned_.store(spawned_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  void count_finished() noexcept {
    finished_.store(finished_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  void clear_fiber_specific_data(fiber& f) noexcept;

  /// Memory for task nodes: a free list that only this thread touches. Null when it is empty.
  void* take_node() noexcept {
    void* node = nodes_;
    if (node != nullptr) {
      nodes_ = *static_cast<void**>(node);
      --node_count_;
    }
    return node;
  }
  /// False: enough are kept already.
  bool keep_node(void* node) noexcept {
    if (node_count_ == most_nodes) return false;
    *static_cast<void**>(node) = nodes_;
    nodes_ = node;
    ++node_count_;
    return true;
  }

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
  timer_queue& timers;
  run_queue queue;
  std::atomic<std::uint64_t> spawned_{0};
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<std::uint64_t> switches_{0};     // grows while the worker goes from fiber to fiber; the monitor's pulse
  std::atomic<bool> attention_{false};         // something waits at home: a remote wake-up of Boost's, a pinned fiber
  std::atomic<std::uint32_t> sleep_word_{awake};   // see idle_set
  std::atomic<time_point> boost_deadline{time_point::max()};  // the earliest of Boost's sleepers here
  bool asleep_in_set = false;                  // guarded by idle_set's lock
  void wake_thread() noexcept;
  std::uint64_t random() noexcept;

 private:
  friend class boost_algorithm;
  enum class after : std::uint8_t { nothing, publish, requeue, retire };
  static constexpr unsigned picks_between_polls = 61;
  static constexpr unsigned operations_per_turn = 512;
  static constexpr std::size_t most_nodes = 4096;

  void run() noexcept;                              // the thread
  void loop() noexcept;                             // at home
  runnable* find_runnable() noexcept;
  void poll() noexcept;
  void resume_from_home(runnable* r) noexcept;
  void serve_boost(bool idle) noexcept;
  void end_runners(runnable_chain spare) noexcept;
  void drain_pinned_inbox() noexcept;
  runnable* search() noexcept;
  runnable* steal_from_others() noexcept;
  void sleep() noexcept;
  bool watch() noexcept;
  void rest(std::uint32_t where, time_point until) noexcept;
  void poll_reactor() noexcept;
  bool work_in_sight() const noexcept;

  void switch_to(fiber& to, after what) noexcept;
  void switch_home(after what) noexcept;
  void prepare(fiber& to) noexcept;                 // bookkeeping before `to` is resumed here
  void finish_switch(fiber& left) noexcept;         // does after_ for the fiber that was left
  fiber* runner_for(task& t) noexcept;              // null: no stack; the task was put aside
  void leave_for(runnable* next, after what) noexcept;

  // The owner thread's alone.
  fiber* current_ = nullptr;
  after after_ = after::nothing;
  unsigned picks_left_ = picks_between_polls;
  unsigned budget_ = operations_per_turn;
  boost::fibers::context* home_ = nullptr;
  boost::fibers::context* dispatcher_ = nullptr;
  bool boost_in_use_ = false;      // somebody waited in a Boost primitive: its dispatcher needs turns
  bool dispatcher_may_idle_ = false;
  exception_state* exceptions_ = nullptr;
  runner_cache idle_runners_;
  stack_cache new_stacks_;
  void* nodes_ = nullptr;
  std::size_t node_count_ = 0;
  runnable_chain pinned_;          // ready pinned fibers
  bool retry_stacks_ = false;      // the kernel may have memory again: try the starved tasks
  bool pinned_turn_ = false;
  bool serving_reactor_ = false;
  std::chrono::nanoseconds nap_{};
  std::uint64_t random_state_;
  std::atomic<runnable*> pinned_inbox_{nullptr};
  std::thread thread_;
};

}  // namespace spool::detail
