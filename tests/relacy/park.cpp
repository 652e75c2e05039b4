// A fiber that parks while others wake it, as it ships, under Relacy: spool_relacy_park [--relaxed-handshake]
//
// A fiber of worker 0 waits once or twice; each time somebody who has seen it registered writes a message and unparks it:
// a fiber of another worker, or a thread that is not spool's. It goes on exactly once per wait, on whichever worker
// takes it, and sees the message and its own stack. When it ends it spawns a task for each other worker, so that a worker
// that finds nothing is a lost wake-up and shows as a deadlock. Tried are all schedules with at most two switches that
// are not forced, and random ones; a million of these with SPOOL_TEST_LONG=1. Shipped are park, unpark, the switch, the
// run queues, the idle set, how a worker finds work and sleeps, and the inbox. A switch of stacks is the model's: the
// worker jumps home, and what the fiber does after its wait is called on the stack of who resumes it.
// --relaxed-handshake plants a bug: the exchanges on the fiber's state order nothing.
#include "model_engine.hpp"

#include <csetjmp>
#include <string_view>

namespace {

using spool::detail::exception_state;
using spool::detail::fiber;
using spool::detail::runnable;
using spool::detail::task;
using spool::detail::waiter;
using spool::detail::worker;

using model::find_work;
using model::running;
using model::workers_here;

// What a worker keeps to itself.
void resume_at_home(worker& w, runnable* r);
void prepare(worker& w, fiber& f);
fiber*& current(worker& w);
exception_state*& exceptions(worker& w);
template <auto Resume, auto Prepare, auto Current, auto Exceptions>
struct open_worker {
  friend void resume_at_home(worker& w, runnable* r) { (w.*Resume)(r); }
  friend void prepare(worker& w, fiber& f) { (w.*Prepare)(f); }
  friend fiber*& current(worker& w) { return w.*Current; }
  friend exception_state*& exceptions(worker& w) { return w.*Exceptions; }
};
template struct open_worker<&worker::resume_from_home, &worker::prepare, &worker::current_, &worker::exceptions_>;

/// One of the model's, with a context of which only the room is there.
class model_fiber : public fiber {
 public:
  explicit model_fiber(spool::detail::scheduler& s) : fiber(s, nullptr, false) {
    set_context(reinterpret_cast<boost::fibers::context*>(room_));
  }

 private:
  alignas(boost::fibers::context) std::byte room_[sizeof(boost::fibers::context)]{};
};

/// What a switch of stacks does here.
struct stacks {
  virtual void leave_for_home(worker& me) = 0;
  virtual void go_on(worker& me) = 0;

 protected:
  ~stacks() = default;
};
stacks* playing = nullptr;

}  // namespace

namespace spool::detail {

fiber::fiber(scheduler& s, boost::fibers::context* ctx, bool is_guest) noexcept
    : fiber_head(s, ctx, is_guest) {}
fiber::~fiber() = default;

}  // namespace spool::detail

void boost::fibers::context::resume() noexcept {
  worker& me = *spool::detail::current_worker();
  current(me) == nullptr ? playing->leave_for_home(me) : playing->go_on(me);
}

namespace {

enum class by { fiber, thread };

template <unsigned Workers, by Waker, unsigned Waits>
struct parks_and_is_woken
    : rl::test_suite<parks_and_is_woken<Workers, Waker, Waits>, static_cast<int>(Workers + (Waker == by::thread))>,
      stacks {
  static constexpr unsigned waker_thread = Waker == by::thread ? Workers : 1;

  std::optional<model::engine> engine;
  std::optional<model_fiber> sleeper, waking;
  std::optional<waiter> frame;  // on the sleeper's stack, which a jump leaves as it is
  task* tasks[Workers];
  exception_state in_flight[Workers];
  std::jmp_buf homes[Workers];
  model_std::atomic<unsigned> registered;  // waits that began
  rl::var<unsigned> stack;                 // the sleeper's: waits that are over
  rl::var<unsigned> message;
  unsigned resumed = 0;
  unsigned ran = 0;

  void before() {
    engine.emplace(Workers);
    workers_here = Workers;
    for (unsigned i = 0; i < Workers; ++i) {
      exceptions(engine->at(i)) = &in_flight[i];
      tasks[i] = spool::detail::make_task([] {}, {});
    }
    sleeper.emplace(**engine);
    waking.emplace(**engine);
    registered.store(0, std::memory_order_relaxed);
    stack(RL_INFO) = 0;
    message(RL_INFO) = 0;
    playing = this;
    running = &*engine;
  }

  void thread(unsigned index) {
    if (index == waker_thread && Waker == by::thread) return wake_all(nullptr);
    worker& me = engine->at(index);
    if (index == 0) {
      if (setjmp(homes[0]) == 0) {
        prepare(me, *sleeper);
        run_sleeper(me);
        return;  // it never left, and has ended here
      }
      me.arrive();
    } else if (index == waker_thread) {
      prepare(me, *waking);
      wake_all(&*waking);
      current(me) = nullptr;
    }
    stay_at_home(me, index);
  }

  void stay_at_home(worker& me, unsigned index) {
    if (setjmp(homes[index]) != 0) me.arrive();
    runnable* const found = find_work(me);
    if (found->what == runnable::kind::task) {
      ++ran;
      return;
    }
    RL_ASSERT(found == &*sleeper);
    resume_at_home(me, found);
  }

  // The sleeper, from its beginning or from the end of a wait.
  void run_sleeper(worker& me) {
    for (;;) {
      const unsigned over = stack(RL_INFO);
      if (over == Waits) break;
      registered.store(over + 1, std::memory_order_release);
      sleeper->park(frame.emplace(&*sleeper), {});  // comes back here only if it was woken already
      end_wait();
    }
    current(me) = nullptr;
    for (unsigned i = 1; i < Workers; ++i) me.push(*tasks[i]);
  }
  void go_on(worker& me) override {
    RL_ASSERT(sleeper->on == &me);
    me.arrive();
    sleeper->state_.store(fiber::running, std::memory_order_relaxed);  // as fiber::end_wait()
    end_wait();
    run_sleeper(me);
  }
  void end_wait() {
    frame.reset();
    const unsigned over = stack(RL_INFO) + 1;
    stack(RL_INFO) = over;
    RL_ASSERT(message(RL_INFO) == over);
    ++resumed;
  }
  void leave_for_home(worker& me) override {
    const unsigned kept = stack(RL_INFO);
    stack(RL_INFO) = kept;  // a switch saves registers there
    std::longjmp(homes[me.index], 1);
  }

  void wake_all(fiber* waker) {
    for (unsigned wait = 1; wait <= Waits; ++wait) {
      while (registered.load(std::memory_order_acquire) != wait) rl::yield(1, RL_INFO);
      message(RL_INFO) = wait;
      unpark(*sleeper, waker);
    }
  }

  void after() {
    RL_ASSERT(resumed == Waits && ran == Workers - 1);
    running = nullptr;
    sleeper.reset();
    waking.reset();
    for (task* t : tasks) ::operator delete(t);
    engine.reset();
  }
};

}  // namespace

int main(int argc, char** argv) {
  using model::holds_always;
  using model::holds_at_random;
  if (argc > 1 && std::string_view(argv[1]) == "--relaxed-handshake") {
    model_std::order_of_handshake = std::memory_order_relaxed;
  }
  bool good = holds_always<parks_and_is_woken<1, by::thread, 1>>("1 worker, woken by a thread");
  good = holds_always<parks_and_is_woken<1, by::thread, 2>>("1 worker, woken by a thread twice") && good;
  good = holds_always<parks_and_is_woken<2, by::fiber, 1>>("2 workers, woken by a fiber") && good;
  good = holds_at_random<parks_and_is_woken<2, by::fiber, 2>>("2 workers, woken by a fiber twice") && good;
  good = holds_at_random<parks_and_is_woken<2, by::thread, 2>>("2 workers, woken by a thread twice") && good;
  return good ? 0 : 1;
}
