// Workers that fall asleep while others push, as they ship, under Relacy: spool_relacy_idle [--without-fence]
//
// There are as many tasks as workers, and a worker that has one is busy for good, so that each must find one. The first
// lies in a worker's queue or in the inbox from the start, and each spawns the next; or a thread that is not spool's
// spawns them all. A lost wake-up is a deadlock. Tried are all schedules with at most two switches that are not forced,
// and random ones; a million of these with SPOOL_TEST_LONG=1. Shipped are the scheduler, the idle set, how a worker
// finds work and sleeps, the run queues and the pushes. The model's are the futex, the clock, which is 10 us on when
// somebody looks, and the membarrier, which is taken at its word. No reactor, timers or pinned fibers.
// --without-fence plants a bug: who falls asleep does not issue the heavy fence.
#include "model_run.hpp"

#include "runtime/plain_threads.cpp"

#include <spool/base/clock.hpp>

#include "runtime/coarse_clock.hpp"

#include "model_fence.hpp"
#include "model_kernel.hpp"
#include "model_pause.hpp"

#include "runtime/idle_set.cpp"
#include "runtime/run_queue.cpp"
#include "runtime/scheduler.cpp"
#define flatten noinline  // with Relacy in them it would take the compiler minutes
#include "runtime/switch.cpp"
#undef flatten

namespace {
bool sleeper_issues_fence = true;
}
namespace spool::detail {
inline void fence_of_sleeper() {
  if (sleeper_issues_fence) heavy_fence();
}
inline void nothing() {}
}  // namespace spool::detail
#undef cpu_pause
#define cpu_pause nothing  // between two looks at a queue
#define heavy_fence fence_of_sleeper
#include "runtime/worker_idle.cpp"

#undef heavy_fence

#include <optional>
#include <string_view>

namespace {

using spool::detail::scheduler;
using spool::detail::task;
using spool::detail::worker;

scheduler* running = nullptr;
unsigned workers_here = 0;

// The worker's home, without fibers.
auto find_work(worker& w);
template <auto Member>
struct open_home {
  friend auto find_work(worker& w) { return (w.*Member)(); }
};
template struct open_home<&worker::find_runnable>;

}  // namespace

namespace spool::detail {

// Without a thread, a timer queue of its own, and contexts.
worker::worker(scheduler& s, unsigned i)
    : owner(s),
      index(i),
      timers(*new timer_queue),
      idle_runners_(s.spare_runners()),
      new_stacks_(s.stacks()),
      random_state_(i + 1) {}
worker::~worker() = default;
void worker::start() {}
void worker::await_start() {}
void worker::join() {}
std::uint64_t worker::random() noexcept { return 0; }
void release_timers(timer_queue& queue) noexcept { delete &queue; }

// A runtime without fibers, timers, pinned fibers, helpers, and a monitor that never finds anything.
void install_overflow_handler() noexcept {}
void monitor::start() {}
void monitor::stop() noexcept {}
void monitor::wake() noexcept {}
blocking_threads::~blocking_threads() = default;
seeded::~seeded() = default;
stack_depot& stack_depot::of_size(std::size_t) { return *static_cast<stack_depot*>(nullptr); }
void stack_depot::give_back(stack_memory) noexcept {}
fiber* current_fiber() noexcept { return nullptr; }
void waiter::wake_thread() noexcept { RL_ASSERT(false); }
void timer_queue::fire_due(time_point) noexcept { RL_ASSERT(false); }
void worker::drain_moved() noexcept {}
void worker::receive(fiber&) noexcept { RL_ASSERT(false); }
void worker::preempt() noexcept { RL_ASSERT(false); }
void* task::allocate() { return ::operator new(sizeof(task)); }

worker* current_worker() noexcept {
  const auto thread = static_cast<unsigned>(rl::ctx().threadx_->index_);
  return running != nullptr && thread < workers_here ? running->workers()[thread].get() : nullptr;
}

}  // namespace spool::detail

void boost::fibers::context::attach(context*) noexcept { RL_ASSERT(false); }
void boost::fibers::context::detach() noexcept { RL_ASSERT(false); }
void boost::fibers::context::resume() noexcept { RL_ASSERT(false); }
void boost::fibers::context::resume(context*) noexcept { RL_ASSERT(false); }

namespace {

enum class first { in_queue, in_inbox, from_outside };

template <unsigned Workers, first First>
struct workers_and_tasks
    : rl::test_suite<workers_and_tasks<Workers, First>, static_cast<int>(Workers + (First == first::from_outside))> {
  std::optional<scheduler> engine;
  task* tasks[Workers];
  unsigned ran[Workers] = {};

  void before() {
    model::take_plain_memory(true);
    model::kernel::boot(std::chrono::microseconds(10));
    workers_here = Workers;
    spool::runtime_options options;
    options.threads = Workers;
    engine.emplace(options, *static_cast<spool::runtime*>(nullptr));
    for (task*& t : tasks) t = spool::detail::make_task([] {}, {});
    if (First == first::in_inbox) engine->spawn_task(*tasks[0]);
    running = &*engine;
    if (First == first::in_queue) engine->spawn_task(*tasks[0]);  // worker 0's: this is its thread
  }

  void thread(unsigned index) { index < Workers ? work(*engine->workers()[index]) : push_all(); }

  void push_all() {
    for (task* t : tasks) engine->spawn_task(*t);
  }

  void work(worker& me) {
    const spool::detail::runnable* const found = find_work(me);
    const std::size_t n = static_cast<std::size_t>(std::find(tasks, tasks + Workers, found) - tasks);
    RL_ASSERT(n < Workers);
    ++ran[n];
    if (First != first::from_outside && n + 1 < Workers) me.push(*tasks[n + 1]);
  }

  void after() {
    for (const unsigned times : ran) RL_ASSERT(times == 1);
    running = nullptr;
    engine.reset();
    for (task* t : tasks) ::operator delete(t);
    model::take_plain_memory(false);
  }
};

}  // namespace

int main(int argc, char** argv) {
  using model::holds_always;
  using model::holds_at_random;
  sleeper_issues_fence = !(argc > 1 && std::string_view(argv[1]) == "--without-fence");
  bool good = holds_always<workers_and_tasks<2, first::in_queue>>("2 workers, a queued task that spawns one");
  good = holds_always<workers_and_tasks<2, first::in_inbox>>("2 workers, a task in the inbox that spawns one") && good;
  good = holds_always<workers_and_tasks<1, first::from_outside>>("1 worker, a task from outside") && good;
  good = holds_at_random<workers_and_tasks<2, first::from_outside>>("2 workers, tasks from outside") && good;
  if (model::thorough())
    good = holds_always<workers_and_tasks<2, first::from_outside>>("2 workers, tasks from outside") && good;
  good = holds_at_random<workers_and_tasks<3, first::in_inbox>>("3 workers, tasks that spawn one") && good;
  return good ? 0 : 1;
}
