#include "seeded.hpp"

#include "detector.hpp"
#include "plain_threads.hpp"
#include "scheduler.hpp"
#include "thread_state.hpp"

#ifdef BOOST_USE_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace spool::detail {
namespace {

/// That of the calling thread's runtime; null if it has none that is seeded.
seeded* driver_here() noexcept {
  worker* w = current_worker();
  return w != nullptr ? w->owner.driver() : nullptr;
}

constexpr substitutes seeded_substitutes{
    .now = []() noexcept {
      const seeded* s = driver_here();
      return s != nullptr ? s->now() : std::chrono::steady_clock::now();
    },
    .random_bits = []() noexcept {
      seeded* s = driver_here();
      return s != nullptr ? s->schedule.bits() : 0;
    },
    .hold_preemption = [](int change) noexcept {
      worker* w = current_worker();
      if (w == nullptr || w->owner.driver() == nullptr || w->current() == nullptr) return;
      w->owner.driver()->hold(change);
      if (change < 0) w->preempt();
    }};

std::mutex substituted_mutex;
int drivers = 0;  // guarded by substituted_mutex

/// Threads that are neither spool's own nor blocked in a wait of spool's.
std::int64_t threads_at_work() noexcept {
  // A directory has one link for each directory in it, and two more: cheaper than to read it.
  struct stat tasks {};
  const std::size_t all = ::stat("/proc/self/task", &tasks) == 0 ? tasks.st_nlink - 2 : 0;
  return static_cast<std::int64_t>(thread_census::without_sanitizers(all)) -
         thread_census::own.load(std::memory_order_seq_cst) - thread_census::blocked.load(std::memory_order_seq_cst);
}

/// threads_at_work() without those that have been joined and are still on their way out.
std::int64_t threads_that_stay() noexcept {
  std::int64_t least = threads_at_work();
  for (int looks = 0; looks < 3; ++looks) {
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    least = std::min(least, threads_at_work());
  }
  return least;
}

std::vector<const scheduler*> all_runtimes() {
  std::vector<const scheduler*> all;
  scheduler_registry::all_of([&](scheduler& s) {
    all.push_back(&s);
    return true;
  });
  return all;
}

}  // namespace

seeded::seeded(const seeded_options& options)
    : schedule(options),
      // Who makes the session will be blocked while it runs.
      threads_before_(threads_that_stay() - (current_worker() == nullptr ? 1 : 0)),
      sources_before_(thread_census::outside_sources.load(std::memory_order_seq_cst)),
      runtimes_before_(all_runtimes()) {
  const std::lock_guard lock(substituted_mutex);
  if (++drivers == 1) substituted.store(&seeded_substitutes, std::memory_order_seq_cst);
}

seeded::~seeded() {
  const std::lock_guard lock(substituted_mutex);
  if (--drivers == 0) substituted.store(nullptr, std::memory_order_seq_cst);
}

void seeded::ask(request r) {
  request_ = std::move(r);
  asked_.store(true, std::memory_order_seq_cst);
}

bool seeded::begin_asked(scheduler& s) {
  if (!asked_.exchange(false, std::memory_order_seq_cst)) return false;
  begin_run(s, request_.seed);
  return true;
}

void seeded::begin_run(scheduler& s, std::uint64_t seed) {
  schedule.begin(seed);
  outcome_ = {};
  outcome_.seed = seed;
  running_ = true;
  body_done_ = escaped_ = preempted_ = outside_ = false;
  numbers_ = 0;
  now_ = std::chrono::steady_clock::now();
  s.begin_run();
  spawn(
      s,
      [this, &s] {
        try {
          request_.body();
        } catch (...) {
          outcome_.exception = std::current_exception();
          outcome_.how = seeded_outcome::ending::thrown;
        }
        body_done_ = true;
        s.begin_stop();
      },
      request_.where);
}

void seeded::end(scheduler& s) {
  using ending = seeded_outcome::ending;
  running_ = false;
  schedule.tell(outcome_);
  outcome_.outside = outside_;
  if (s.live() != 0) {
    if (escaped_) {
      outcome_.how = ending::escaped;
    } else if (schedule.endless()) {
      outcome_.how = ending::endless;
    } else if (outcome_.how == ending::done) {
      outcome_.how = body_done_ ? ending::leak : ending::deadlock;
    }
    abandon(s);
    broken_ = true;
  } else if (escaped_) {
    outcome_.how = ending::escaped;
  }
  s.workers().front()->timers.forget();
  if (body_done_) s.finish_stop();
  const std::optional<std::uint64_t> next = request_.next(outcome_);
  if (next && !broken_) {
    begin_run(s, *next);
    return;
  }
  waiter* caller = request_.caller;
  if (caller->claim(waiter::done)) caller->wake();
}

/// Gives up whatever is left, never to be resumed.
void seeded::abandon(scheduler& s) {
  for (const fiber_info& f : list_fibers(s)) outcome_.fibers.push_back(to_string(f));
  {
    const std::lock_guard lock(s.registry_mutex());
    auto& fibers = s.fibers();
    for (fiber* f = fibers.front(); f != nullptr;) {
      fiber* following = fibers.next(*f);
      if (f->busy()) {
        if (waiter* w = f->waiting.load()) (void)w->claim(waiter::abandoned);
        if (f->guest || std::exchange(f->linked_in_boost, false)) f->context()->detach();
        intrusive_list<fiber>::erase(*f);
#ifdef BOOST_USE_ASAN
        if (f->stack) __lsan_register_root_region(f->stack.low, f->stack.bytes);  // reported already; what it holds is not lost
#endif
      }
      f = following;
    }
  }
  for (const ready_fiber& r : ready_) {
    if (r.what->what == runnable::kind::task) outcome_.fibers.push_back("a fiber that has not begun");
  }
  ready_.clear();
  while (settling_.pop_front() != nullptr) {
  }
  s.give_up(s.live());
}

void seeded::add(runnable& r) {
  std::uint32_t number = 0;
  if (r.what == runnable::kind::fiber) {
    auto& f = static_cast<fiber&>(r);
    if (!f.linked()) return;  // abandoned
    number = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(f.slots[seeded_slot]));
  }
  if (number == 0) number = ++numbers_;
  ready_.push_back({&r, number});
}

ready_fiber seeded::take() {
  const std::size_t place = schedule.choose(ready_);
  const ready_fiber chosen = ready_[place];
  ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(place));
  return chosen;
}

bool seeded::wake_settled() noexcept {
  if (settling_.empty()) return false;
  wait_queue woken;
  woken.splice_back(settling_);
  while (wait_node* node = woken.pop_front()) {
    if (node->try_claim()) node->owner->wake();
  }
  return true;
}

void seeded::wait_settled() {
  waiter self;
  wait_node node(self);
  settling_.push_back(node);
  self.wait({"all others to wait", nullptr});
}

bool seeded::outside_busy(scheduler& s) noexcept {
  if (s.helpers().pending() != 0) return true;
  if (thread_census::outside_sources.load(std::memory_order_seq_cst) > sources_before_) return true;
  const std::int64_t threads = threads_at_work();
  if (threads > threads_before_) return true;
  threads_before_ = threads;  // one of those before has ended
  return !scheduler_registry::all_of([&](scheduler& other) {
    return &other == &s || std::find(runtimes_before_.begin(), runtimes_before_.end(), &other) != runtimes_before_.end();
  });
}

void seeded::note_escaped(const fiber& f) {
  if (std::exchange(escaped_, true)) return;
  outcome_.exception = std::current_exception();
  outcome_.culprit = f.owner.describe(&f);
}

seeded_session::seeded_session(const seeded_options& options) {
  runtime_.reset(new runtime({.threads = 1, .stack_bytes = options.stack_bytes, .name = "seeded"}, options));
  driver_ = core_of(*runtime_).driver();
}

seeded_session::~seeded_session() = default;

void seeded_session::set_length(std::uint64_t decisions) noexcept { driver_->set_length(decisions); }

void seeded_session::run(std::uint64_t seed, std::function<void()> f, next_seed next, start_site where) {
  if (driver_here() != nullptr) {
    throw std::logic_error("spool::testing: called on a fiber of a bubble, which has its schedule already. Call it outside");
  }
  waiter caller;
  driver_->ask({seed, std::move(f), std::move(next), where, &caller});
  core_of(*runtime_).workers().front()->wake_thread();
  caller.wait({"bubble", this});
}

bool on_seeded_fiber() noexcept { return on_fiber() && driver_here() != nullptr; }

namespace {

seeded& require_driver() {
  if (on_seeded_fiber()) return *driver_here();
  throw std::logic_error("spool::testing: not on a fiber of a bubble. Call it inside run_in_bubble or explore");
}

}  // namespace

std::uint64_t seed_of_run() { return require_driver().seed(); }

void wait_until_settled() { require_driver().wait_settled(); }

}  // namespace spool::detail
