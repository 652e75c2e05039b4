// Workers that fall asleep while others push, as they ship, under Relacy: spool_relacy_idle [--own-fence]
//
// There are as many tasks as workers, and a worker that has one is busy for good, so that each must find one. The first
// lies in a worker's queue or in the inbox from the start, and each spawns the next; or a thread that is not spool's
// spawns them all. A lost wake-up is a deadlock, and a worker that runs must look so to the monitor. Tried are all
// schedules with at most two switches that are not forced, and random ones; a million of these with SPOOL_TEST_LONG=1.
// Shipped are the scheduler, the idle set, how a worker finds work and sleeps, the run queues and the pushes; what is not,
// see model_engine.hpp.
// --own-fence plants a bug: who falls asleep never issues the heavy fence, but one for itself.
#include "model_engine.hpp"

#include <string_view>

namespace {

using model::find_work;
using model::running;
using model::workers_here;
using spool::detail::task;
using spool::detail::worker;

}  // namespace

void boost::fibers::context::resume() noexcept { RL_ASSERT(false); }

namespace {

enum class first { in_queue, in_inbox, from_outside };

template <unsigned Workers, first First>
struct workers_and_tasks
    : rl::test_suite<workers_and_tasks<Workers, First>, static_cast<int>(Workers + (First == first::from_outside))> {
  std::optional<model::engine> engine;
  task* tasks[Workers];
  unsigned ran[Workers] = {};

  void before() {
    engine.emplace(Workers);
    workers_here = Workers;
    for (task*& t : tasks) t = spool::detail::make_task([] {}, {});
    if (First == first::in_inbox) (*engine)->spawn_task(*tasks[0]);
    running = &*engine;
    if (First == first::in_queue) (*engine)->spawn_task(*tasks[0]);  // worker 0's: this is its thread
  }

  void thread(unsigned index) { index < Workers ? work(engine->at(index)) : push_all(); }

  void push_all() {
    for (task* t : tasks) (*engine)->spawn_task(*t);
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
    for (unsigned i = 0; i < Workers; ++i) RL_ASSERT(engine->at(i).runs());
    running = nullptr;
    for (task* t : tasks) ::operator delete(t);
    engine.reset();
  }
};

}  // namespace

int main(int argc, char** argv) {
  using model::holds_always;
  using model::holds_at_random;
  model::sleeper_fences_others = !(argc > 1 && std::string_view(argv[1]) == "--own-fence");
  bool good = holds_always<workers_and_tasks<2, first::in_queue>>("2 workers, a queued task that spawns one");
  good = holds_always<workers_and_tasks<2, first::in_inbox>>("2 workers, a task in the inbox that spawns one") && good;
  good = holds_always<workers_and_tasks<1, first::from_outside>>("1 worker, a task from outside") && good;
  good = holds_at_random<workers_and_tasks<2, first::from_outside>>("2 workers, tasks from outside") && good;
  if (model::thorough())
    good = holds_always<workers_and_tasks<2, first::from_outside>>("2 workers, tasks from outside") && good;
  good = holds_at_random<workers_and_tasks<3, first::in_inbox>>("3 workers, tasks that spawn one") && good;
  return good ? 0 : 1;
}
