// A runtime whose threads are the model's: the scheduler, its workers, how they find work, switch and sleep, as they
// ship. Time is 10 us later whenever somebody looks. There are no timers, no reactor, no pinned fibers, no helpers, no
// stacks for tasks, and a monitor that never finds anything. A model says what a switch of contexts does. The
// flag and the order plant bugs.
#pragma once

#include "model_run.hpp"

#include "runtime/plain_threads.cpp"

#include <spool/base/clock.hpp>

#include "runtime/coarse_clock.hpp"

namespace model {
inline bool sleeper_fences_others = true;
}  // namespace model
namespace model_std {
/// Workers' threads begin and end with the model's.
struct thread {
  using native_handle_type = pthread_t;
  thread() = default;
  template <class F>
  explicit thread(F&&) {}
  bool joinable() const { return false; }
  void join() {}
  native_handle_type native_handle() { return {}; }
};
struct latch {
  explicit latch(int) {}
  void wait() {}
  void count_down() {}
};
}  // namespace model_std

#include "model_fence.hpp"
#include "model_kernel.hpp"
#include "model_pause.hpp"

#include "runtime/idle_set.cpp"
#include "runtime/run_queue.cpp"
#include "runtime/scheduler.cpp"
#include "runtime/worker.cpp"

namespace model_std {
inline memory_order order_of_handshake = memory_order_acq_rel;
}
#define flatten noinline  // with Relacy inlined it would take the compiler minutes
#define memory_order_acq_rel order_of_handshake
#include "runtime/switch.cpp"
#undef memory_order_acq_rel
#undef flatten

namespace spool::detail {
inline void fence_of_sleeper() {
  if (model::sleeper_fences_others) return heavy_fence();
  std::atomic_thread_fence(std::memory_order_seq_cst);
}
}  // namespace spool::detail
#undef cpu_pause
#define cpu_pause look_again_in_model  // between two looks at a queue
#define heavy_fence fence_of_sleeper
#include "runtime/worker_idle.cpp"
#undef heavy_fence

#include <optional>
#include <span>
#include <vector>

namespace spool::detail {

timer_queue& timer_queue::acquire() { return *new timer_queue; }
void timer_queue::fire_due(time_point) noexcept { RL_ASSERT(false); }
void release_timers(timer_queue&) noexcept {}
void install_overflow_handler() noexcept {}
void monitor::start() {}
void monitor::stop() noexcept {}
void monitor::wake() noexcept {}
blocking_threads::~blocking_threads() = default;
seeded::~seeded() = default;
bias_lease::bias_lease() noexcept : id_(0) {}
bias_lease::~bias_lease() = default;
std::uint32_t withdrawals_from(bias_id) noexcept { return 0; }
stack_depot& stack_depot::of_size(std::size_t) { return *static_cast<stack_depot*>(nullptr); }
std::size_t stack_depot::take(std::span<stack_memory>) noexcept { return 0; }
void stack_depot::give_back(stack_memory) noexcept {}
fiber* fiber::make_runner(scheduler&, stack_memory) noexcept { return nullptr; }
void worker::drain_moved() noexcept {}
void worker::receive(fiber&) noexcept { RL_ASSERT(false); }
void worker::preempt() noexcept { RL_ASSERT(false); }
void worker::hand_thread_over(fiber&) noexcept { RL_ASSERT(false); }
void watch_for_exit(worker&) {}
void take_raised_signals() noexcept {}
void* allocate_node(std::size_t bytes) { return ::operator new(bytes); }
fiber* current_fiber() noexcept {
  worker* const w = current_worker();
  return w != nullptr ? w->current() : nullptr;
}

}  // namespace spool::detail

namespace model {

/// A scheduler for the length of a schedule.
class engine {
 public:
  explicit engine(unsigned workers) {
    take_plain_memory(true);
    kernel::boot();
    spool::runtime_options options;
    options.threads = workers;
    scheduler_.emplace(options, *static_cast<spool::runtime*>(nullptr));
    for (auto& w : scheduler_->workers()) timers_.emplace_back(&w->timers);
  }
  ~engine() {
    scheduler_.reset();
    timers_.clear();
    timers_.shrink_to_fit();
    take_plain_memory(false);
  }
  spool::detail::scheduler& operator*() { return *scheduler_; }
  spool::detail::scheduler* operator->() { return &*scheduler_; }
  spool::detail::worker& at(unsigned index) { return *scheduler_->workers()[index]; }

 private:
  std::optional<spool::detail::scheduler> scheduler_;
  std::vector<std::unique_ptr<spool::detail::timer_queue>> timers_;
};

inline engine* running = nullptr;   // while a schedule is played
inline unsigned workers_here = 0;  // the first threads are theirs

inline unsigned thread_index() { return static_cast<unsigned>(rl::ctx().threadx_->index_); }

// The worker's home, without fibers.
auto find_work(spool::detail::worker& w);
template <auto Member>
struct open_home {
  friend auto find_work(spool::detail::worker& w) { return (w.*Member)(); }
};
template struct open_home<&spool::detail::worker::find_runnable>;

}  // namespace model

namespace spool::detail {

worker* current_worker() noexcept {
  const bool on_worker = model::running != nullptr && model::thread_index() < model::workers_here;
  return on_worker ? &model::running->at(model::thread_index()) : nullptr;
}
void waiter::wake_thread() noexcept { RL_ASSERT(false); }

}  // namespace spool::detail

void boost::fibers::context::attach(context*) noexcept { RL_ASSERT(false); }
void boost::fibers::context::detach() noexcept { RL_ASSERT(false); }
void boost::fibers::context::resume(context*) noexcept { RL_ASSERT(false); }
