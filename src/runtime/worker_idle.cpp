// How a worker finds something to run, and how it sleeps.
#include "boost_algorithm.hpp"
#include "coarse_clock.hpp"
#include "futex.hpp"
#include "raised_signals.hpp"
#include "scheduler.hpp"
#include "worker.hpp"

#include <boost/fiber/context.hpp>

#include <algorithm>

namespace spool::detail {
namespace {

using namespace std::chrono_literals;

constexpr auto look_again_after = 3us;       // between the two looks at a queue
constexpr auto tiny_task = 500ns;            // below this a task costs less where it is than on another core
constexpr auto tolerable_backlog = 100us;    // of tiny tasks
constexpr auto talking_step = 150ns;         // who makes a step this often talks more than it computes
constexpr auto tolerable_talk = 1ms;         // backlog of fibers that talk
constexpr auto rest_before_trim = 10ms;       // a worker that rests this long ends runners that it has to spare
constexpr auto first_nap = 20us;
constexpr auto longest_nap = 250us;
constexpr auto longest_linger = 10us;
constexpr auto short_rest = 50us;            // whose end lingering might have spared the caller
constexpr auto stack_retry = 5ms;

}  // namespace

runnable* worker::find_runnable() noexcept {
  for (;;) {
    poll();
    if (runnable* r = pick_local()) return r;
    if (attention_.load(std::memory_order_relaxed)) continue;
    if (runnable* r = search()) return r;
    if (owner.exiting()) return nullptr;
    if (!linger()) sleep();
  }
}

/// Everything that running fibers put off: timers, work from outside, pinned fibers, Boost's dispatcher.
void worker::poll() noexcept {
  picks_left_ = picks_between_polls;
  const bool attention = attention_.load(std::memory_order_relaxed) && attention_.exchange(false, std::memory_order_acq_rel);
  if (attention) {
    drain_pinned_inbox();
    drain_moved();
  }
  if (attention || boost_in_use_) serve_boost(false);
  if (!timers.empty()) timers.fire_due(clock::now());
  if (owner.attached_reactor() != nullptr) poll_reactor();
  const std::uint32_t tick = coarse_clock::now();
  if (std::exchange(polled_at_, tick) != tick) take_raised_signals();
  if (!owner.inbox_empty()) {
    const runnable_chain arrived = owner.take_inbox();
    queue.push_chain(arrived);
    if (arrived.count > 1) owner.idle().notice_local_push();
  }
  if (owner.starving() && (!idle_runners_.empty() || retry_stacks_)) {
    retry_stacks_ = false;
    queue.push_chain(owner.take_starved());
  }
  if (owner.take_relief_duty()) {
    if (runnable* r = steal_from_others()) queue.push(r);
  }
}

void worker::poll_reactor() noexcept {
  const time_point now = clock::now();
  if (!owner.reactor_poll_due(now) || !owner.enter_reactor()) return;
  serving_reactor_ = true;
  owner.reactor_polled(now, owner.attached_reactor()->poll());
  serving_reactor_ = false;
  owner.leave_reactor();
  if (queue.size() > 1) owner.idle().notice_local_push();
}

void worker::drain_pinned_inbox() noexcept {
  runnable_chain arrived = in_order(pinned_inbox_.exchange(nullptr, std::memory_order_acquire));
  while (runnable* r = arrived.pop_front()) pinned_.push_back(r);
}

/// Gives Boost's dispatcher a turn; `idle` lets it tell its next deadline through suspend_until.
void worker::serve_boost(bool idle) noexcept {
  boost_deadline.store(time_point::max(), std::memory_order_relaxed);
  dispatcher_may_idle_ = idle;
  boost::fibers::context* dispatcher = dispatcher_;
  dispatcher->resume();
}

void worker::end_runners(runnable_chain spare) noexcept {
  while (auto* f = static_cast<fiber*>(spare.pop_front())) {
    prepare(*f);
    link_into_boost(*f);
    resume(*f);  // without a job it ends
    arrive();
  }
  serve_boost(false);  // releases what ended
}

runnable* worker::search() noexcept {
  if (owner.workers().size() == 1) return nullptr;
  idle_set& idle = owner.idle();
  idle.begin_search();
  runnable* r = steal_from_others();
  const bool last = idle.end_search();
  if (r != nullptr) {
    if (!std::exchange(bounced_, false)) nap_ = {};  // what came back was not worth a search
    if (last && work_in_sight()) idle.wake_one();
  }
  return r;
}

/// A queue is robbed only when what was in it at the first look is still there at the second: fibers that talk to each
/// other drain their queue by themselves, and moving one of them to another core would cost more than it gains.
runnable* worker::steal_from_others() noexcept {
  const auto& workers = owner.workers();
  constexpr std::size_t most_victims = 64;
  struct look {
    worker* victim;
    std::uint64_t pushed, popped, steps;
  };
  look looks[most_victims];
  std::size_t seen = 0;
  const std::size_t start = random() % workers.size();
  for (std::size_t i = 0; i < workers.size() && seen < most_victims; ++i) {
    worker& victim = *workers[(start + i) % workers.size()];
    if (&victim == this || victim.queue.empty()) continue;
    looks[seen++] = {&victim, victim.queue.pushed(), victim.queue.popped(), victim.steps()};
  }
  if (seen == 0) return nullptr;
  const time_point begin = clock::now();
  time_point now = begin;
  while (now - begin < look_again_after && owner.inbox_empty()) {
    for (int i = 0; i < 16; ++i) cpu_pause();
    now = clock::now();
  }
  for (std::size_t i = 0; i < seen; ++i) {
    run_queue& q = looks[i].victim->queue;
    const std::uint64_t popped = q.popped();
    if (popped >= looks[i].pushed) continue;
    const std::uint64_t progress = popped - looks[i].popped;
    if (progress > 0) {
      const auto each = (now - begin) / static_cast<std::int64_t>(progress);
      if (each < tiny_task && each * static_cast<std::int64_t>(q.size()) < tolerable_backlog) continue;
    }
    // Fibers that talk: an operation or a switch every few tens of nanoseconds. A turn may outlast the look.
    const auto steps = static_cast<std::int64_t>(looks[i].victim->steps() - looks[i].steps);
    const auto turn = (now - begin) / static_cast<std::int64_t>(progress + 1);
    if (steps * talking_step > now - begin && turn * static_cast<std::int64_t>(q.size()) < tolerable_talk) continue;
    loot stolen;
    q.steal(stolen);
    if (stolen.count == 0) continue;
    owner.note_activity();
    if (stolen.count > 1) queue.push_all_but_first(stolen);
    return stolen.items[0];
  }
  return nullptr;
}

/// Work from outside often comes in a stream; then to look for it a little longer costs both sides less than a wake-up.
/// One worker at a time, as long as it pays. True: it came.
bool worker::linger() noexcept {
  idle_set& idle = owner.idle();
  if (patience_ == 0 || idle.searching() != 0 || owner.reactor_unattended()) return false;
  idle.begin_search();
  const time_point end = std::min(clock::now() + longest_linger, timers.next_deadline());
  bool came = false;
  do {
    for (int i = 0; i < 8; ++i) cpu_pause();
    came = !owner.inbox_empty();
  } while (!came && clock::now() < end);
  // Who pushed meanwhile left it at this search, which has not looked at the queues.
  if (idle.end_search() && came && queues_in_sight()) idle.wake_one();
  patience_ = came ? most_patience : patience_ - 1;
  return came;
}

bool worker::work_in_sight() const noexcept {
  return !owner.inbox_empty() || owner.exiting() || attention_.load(std::memory_order_seq_cst) || queues_in_sight();
}

bool worker::queues_in_sight() const noexcept {
  return std::any_of(owner.workers().begin(), owner.workers().end(), [](const auto& w) { return !w->queue.empty(); });
}

void worker::sleep() noexcept {
  take_raised_signals();
  if (boost_in_use_) {
    serve_boost(true);
    if (!queue.empty()) return;
  }
  if (watch()) return;
  idle_set& idle = owner.idle();
  const std::uint32_t where = owner.enter_reactor() ? in_reactor : asleep;
  sleep_word_.store(where, std::memory_order_relaxed);
  if (idle.enter(*this, where == in_reactor) < owner.workers().size()) {
    heavy_fence();  // pairs with the light fence after a push
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // nobody pushes before it has changed idle_set's word
  }
  owner.check_drained();
  bool rested = false;
  if (!work_in_sight() && (where == in_reactor || !owner.reactor_unattended())) {
    time_point until = std::min(timers.next_deadline(), boost_deadline.load(std::memory_order_relaxed));
    const bool may_trim = owner.spare_runners().any();
    const time_point began = clock::now();
    const time_point trim_at = may_trim ? began + rest_before_trim : time_point::max();
    until = std::min(until, trim_at);
    if (owner.starving()) until = std::min(until, began + stack_retry);
    rest(where, until);
    if (!owner.inbox_empty() && clock::now() - began < short_rest) patience_ = most_patience;
    rested = may_trim && sleep_word_.load(std::memory_order_relaxed) == where && until == trim_at && queue.empty();
  }
  sleep_word_.store(awake, std::memory_order_relaxed);
  if (where == in_reactor) owner.leave_reactor();
  owner.note_activity();
  retry_stacks_ = true;
  // A waker counted this worker as searching when it took it out of the set.
  if (!idle.leave(*this)) idle.end_search();
  owner.wake_monitor();
  if (queue.size() > 1) idle.notice_local_push();
  if (rested) end_runners(owner.spare_runners().take());
}

/// Until called, until `until`, or until the reactor has served something, which may have armed an earlier timer.
void worker::rest(std::uint32_t where, time_point until) noexcept {
  if (where == in_reactor) {
    serving_reactor_ = true;
    if (sleep_word_.load(std::memory_order_acquire) == where) {
      owner.attached_reactor()->wait_until(until);
      owner.reactor_polled(clock::now(), !queue.empty());
    }
    serving_reactor_ = false;
    return;
  }
  while (sleep_word_.load(std::memory_order_acquire) == where && (until == time_point::max() || clock::now() < until)) {
    futex_wait(sleep_word_, where, until);
  }
}

/// While others run, one worker naps and looks again instead of sleeping. True: it did, look for work once more.
bool worker::watch() noexcept {
  idle_set& idle = owner.idle();
  const std::size_t workers = owner.workers().size();
  if (idle.idle() + 1 >= workers) return false;  // nobody else runs
  if (!idle.begin_watch(*this)) return false;
  nap_ = std::clamp<std::chrono::nanoseconds>(nap_ * 2, first_nap, longest_nap);
  idle.begin_search();  // keeps local pushes from waking anybody
  const std::uint32_t where = owner.enter_reactor() ? in_reactor : asleep;
  // Pairs with who calls from outside: it fills the inbox or sets attention_, then reads watcher_ or sleep_word_. All
  // seq_cst, so one sees the other; a local push calls nobody while one watches, so no heavy fence is needed.
  sleep_word_.store(where, std::memory_order_seq_cst);
  if (owner.inbox_empty() && !owner.exiting() && !attention_.load(std::memory_order_seq_cst)) {
    const time_point nap_ends = clock::now() + nap_;
    rest(where, std::min({nap_ends, timers.next_deadline(), boost_deadline.load(std::memory_order_relaxed)}));
  }
  sleep_word_.store(awake, std::memory_order_relaxed);
  if (where == in_reactor) owner.leave_reactor();
  idle.end_watch(*this);
  idle.end_search();
  if (queue.size() > 1) idle.notice_local_push();
  return true;
}

/// Leaves the word of a worker that runs by now as it is: the monitor knows by it who runs.
void worker::wake_thread() noexcept {
  std::uint32_t seen = sleep_word_.load(std::memory_order_seq_cst);
  do {
    if (seen != asleep && seen != in_reactor) return;
  } while (!sleep_word_.compare_exchange_strong(seen, called, std::memory_order_seq_cst));
  if (seen == asleep) {
    futex_wake(sleep_word_);
  } else {
    owner.attached_reactor()->interrupt();
  }
}

}  // namespace spool::detail
