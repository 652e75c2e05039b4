#include "monitor.hpp"

#include "base/log.hpp"
#include "blocked_signals.hpp"
#include "coarse_clock.hpp"
#include "detector.hpp"
#include "futex.hpp"
#include "leak_finder.hpp"
#include "plain_threads.hpp"
#include "scheduler.hpp"
#include "stack_sample.hpp"

#include <spool/runtime/detail/fiber_list.hpp>

#include <fmt/format.h>

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <exception>

namespace spool::detail {
namespace {

using namespace std::chrono_literals;

constexpr auto tick = 4ms;
constexpr auto overdue = 2ms;       // a timer this late belongs to a worker that does not look
constexpr auto report_every = 10s;
constexpr auto longest_patience = 1000ms;
constexpr auto look_every = 500ms;    // through the waits of all fibers
constexpr int most_of_the_time = 200;  // between two looks, in times of what a look takes: half a percent of one CPU

}  // namespace

void monitor::start() {
  const blocked_signals inherited;
  thread_ = std::thread([this] { run(); });
}

void monitor::stop() noexcept {
  exit_.store(1, std::memory_order_seq_cst);
  futex_wake(exit_);
  word_.store(0, std::memory_order_seq_cst);
  futex_wake(word_);
  if (thread_.joinable()) thread_.join();
}

void monitor::wake() noexcept {
  if (word_.load(std::memory_order_seq_cst) != 1) return;
  coarse_clock::set(clock::now());
  if (word_.exchange(0, std::memory_order_seq_cst) == 1) futex_wake(word_);
}

void monitor::run() noexcept {
  const own_thread counted;
  ::pthread_setname_np(::pthread_self(), (scheduler_.options().name.substr(0, 10) + "-mon").c_str());
  turns_.resize(scheduler_.workers().size());
  auto pace = std::chrono::milliseconds(tick);
  auto patience = std::chrono::milliseconds(tick);
  while (exit_.load(std::memory_order_seq_cst) == 0) {
    const bool stopping = scheduler_.stopping();
    coarse_clock::set(clock::now());
    if (scheduler_.at_rest() && !stopping) {
      // Who cannot be proven stuck now may be later: a thread that could have woken it ends, or comes to wait itself.
      const bool settled = look_for_deadlock();
      if (!settled) {
        look_for_rings(clock::now());
        look_for_stuck_fibers(clock::now());
      }
      if (rest_until(settled ? time_point::max() : clock::now() + patience)) patience = tick;
      patience = std::min<std::chrono::milliseconds>(patience * 2, longest_patience);
      continue;
    }
    futex_wait(exit_, 0, clock::now() + pace);
    const time_point now = clock::now();
    relieve_busy_workers(now);
    look_for_rings(now);
    patience = tick;
    if (stopping) {
      watch_the_end(now);
      pace = std::min<std::chrono::milliseconds>(pace * 2, 200ms);  // a thread that ends may complete the proof
    } else {
      stop_began_ = {};
      pace = tick;
    }
  }
}

/// Sleeps while the workers do. True: somebody has begun to work.
bool monitor::rest_until(time_point until) noexcept {
  word_.store(1, std::memory_order_seq_cst);
  if (scheduler_.at_rest() && !scheduler_.stopping() && exit_.load(std::memory_order_seq_cst) == 0) {
    futex_wait(word_, 1, until);
  }
  return word_.exchange(0, std::memory_order_seq_cst) == 0;
}

void monitor::relieve_busy_workers(time_point now) noexcept {
  const auto& workers = scheduler_.workers();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    worker& w = *workers[i];
    if (w.timers.next_deadline() < now - overdue) {
      {
        const firing_thread firing;  // others' detectors cannot tell otherwise
        w.timers.fire_due(now);
      }
      // A ticker is armed again in its queue, which it looks at once more between the store of its word and its sleep.
      std::atomic_thread_fence(std::memory_order_seq_cst);
      w.wake_thread();
    }
    const std::uint64_t pulse = w.switches_.load(std::memory_order_relaxed);
    const bool at_one_fiber = pulse == turns_[i].pulse;
    const bool stuck = at_one_fiber && !w.queue.empty();
    turns_[i].pulse = pulse;
    watch_for_stuck(i, at_one_fiber && w.steps() == turns_[i].steps && w.runs(), now);
    if (stuck) scheduler_.ask_for_relief();
    if (at_one_fiber) w.give_back_moved();
    const bool awaited = stuck || !scheduler_.inbox_empty() || w.attention_.load(std::memory_order_relaxed);
    if (at_one_fiber && awaited && w.runs()) w.cut_turn_short();
    turns_[i].steps = w.steps();
    if (stuck || !scheduler_.inbox_empty()) scheduler_.idle().wake_one();
  }
  if (scheduler_.reactor_unattended()) have_reactor_served();
}

/// A worker whose fiber has not come to an operation for longer than stuck_after, where it could have given way: which
/// fiber, and where it is. Again at twice the time.
void monitor::watch_for_stuck(std::size_t i, bool at_one_step, time_point now) noexcept {
  turn& t = turns_[i];
  if (!at_one_step || t.pulse == 0 || scheduler_.options().stuck_after.count() == 0) {
    t.began = {};
    return;
  }
  if (t.began == time_point{}) {
    t.began = now;
    t.report_after = scheduler_.options().stuck_after;
  }
  if (now - t.began < t.report_after) return;
  t.report_after *= 2;
  worker& w = *scheduler_.workers()[i];
  const stack_sample sample = sample_stack(w.thread(), w.thread_number());
  const bool goes_on = w.switches_.load(std::memory_order_relaxed) != t.pulse || w.steps() != t.steps;
  if (goes_on && !sample.blocked) return;                 // it had waited for a CPU; else our signal has ended the call
  if (!sample.running && !sample.calls.empty()) return;  // at home, and waits for a CPU
  log()->warn("spool: worker {} of runtime \"{}\" has been kept for {:.1f} s by one turn of {}. The others take its queue; "
               "put calls that block into spool::blocking, and yield in long computations. It is at{}",
               i, scheduler_.options().name, std::chrono::duration<double>(now - t.began).count(),
               sample.running ? to_string(*sample.running) : "what cannot be told", sample.calls.empty() ? " (no answer)" : sample.calls);
}

/// Reports locks that fibers hold against each other, whatever else still runs.
void monitor::look_for_rings(time_point now) noexcept {
  if (now < next_ring_look_ || scheduler_.options().on_deadlock == deadlock_policy::off) return;
  const auto rings = rings_.look(scheduler_, now);
  next_ring_look_ = now + std::max<clock::duration>(look_every, most_of_the_time * (clock::now() - now));
  for (const lock_ring& r : rings) {
    log()->error("spool: deadlock (suspected): these {} fibers wait in a ring, each for a lock that the next has:{}{}{}",
                  r.ring.size(), to_lines(r.ring), r.behind.empty() ? "" : "\n  and for one of these locks also",
                  to_lines(r.behind));
  }
}

/// Reports fibers that wait for what nobody who still acts refers to. To be called while the workers sleep.
void monitor::look_for_stuck_fibers(time_point now) noexcept try {
  if (scheduler_.options().on_deadlock == deadlock_policy::off) return;
  stuck_fibers stuck = stuck_.look(scheduler_, now);
  if (stuck.found.empty()) return;
  log()->error("spool: {} (suspected): nobody who could still act refers to what these {} fibers of runtime \"{}\" wait on:{}",
               stuck.all ? "deadlock" : "leak", stuck.found.size(), scheduler_.options().name, to_lines(stuck.found));
  forget(stuck.found);
} catch (const std::bad_alloc&) {  // it looks again
}

/// By a sleeper, else by a worker that goes home for it after its present turn.
void monitor::have_reactor_served() noexcept {
  if (scheduler_.idle().sleeping() != 0) {
    scheduler_.idle().wake_one();
  } else {
    const auto& workers = scheduler_.workers();
    workers[++next_to_serve_ % workers.size()]->attention_.store(true, std::memory_order_seq_cst);
  }
}

/// True: there is nothing to report, or it has been reported, until something happens.
bool monitor::look_for_deadlock() noexcept {
  if (scheduler_.options().on_deadlock == deadlock_policy::off) return true;
  if (scheduler_.live() == 0 || scheduler_.activity() == reported_activity_) return true;
  if (!nothing_can_happen()) return false;
  reported_activity_ = scheduler_.activity();
  const auto stuck = list_fibers(scheduler_);
  log()->error("spool: deadlock (proven): nothing in this process can wake these {} fibers of runtime \"{}\":{}",
                stuck.size(), scheduler_.options().name, to_lines(stuck));
  if (scheduler_.options().on_deadlock == deadlock_policy::abort) {
    log()->flush();
    std::abort();
  }
  return true;
}

/// Fibers that are proven unable to wake, taken out of what they wait on.
std::vector<fiber_info> monitor::find_lost(time_point now) noexcept {
  if (nothing_can_happen()) return abandon_waiting(scheduler_);
  if (now < next_nobody_look_) return {};
  auto lost = abandon_waiting_on_nobody(scheduler_);
  next_nobody_look_ = now + std::max<clock::duration>(look_every, most_of_the_time * (clock::now() - now));
  return lost;
}

void monitor::watch_the_end(time_point now) noexcept {
  if (stop_began_ == time_point{}) {
    stop_began_ = now;
    next_report_ = now + report_every;
  }
  if (scheduler_.live() == 0) return;
  if (scheduler_.at_rest()) scheduler_.helpers().dismiss_idle();  // as long as there are any, nothing is proven
  const auto lost = find_lost(now);
  if (!lost.empty()) {
    log()->error("spool: leak (proven): the run of runtime \"{}\" ends without these {} fibers, which nothing can wake:{}",
                  scheduler_.options().name, lost.size(), to_lines(lost));
    scheduler_.give_up(lost.size());
    return;
  }
  const auto& limit = scheduler_.options().stop_timeout;
  const bool late = limit && now - stop_began_ >= *limit;
  if (!late && now < next_report_) return;
  next_report_ = now + report_every;
  const auto unreachable = find_unreachable().value_or(std::vector<std::uint64_t>());
  auto remaining = list_fibers(scheduler_);
  log()->warn("spool: the run of runtime \"{}\" has waited {} s for {} fibers to end:{}", scheduler_.options().name,
               std::chrono::duration_cast<std::chrono::seconds>(now - stop_began_).count(), scheduler_.live(),
               to_lines(remaining));
  std::vector<fiber_info> leaked;
  for (const fiber_info& f : remaining) {
    if (std::find(unreachable.begin(), unreachable.end(), f.id) != unreachable.end()) leaked.push_back(f);
  }
  if (!leaked.empty()) {
    log()->warn("spool: leak (suspected): of these, {} wait on channels to which nobody else has a handle:{}", leaked.size(),
                 to_lines(leaked));
  }
  forget(remaining);
  forget(leaked);
  if (late) {
    log()->critical("spool: stop_timeout of {} ms has passed; terminating", limit->count());
    log()->flush();
    std::terminate();
  }
}

}  // namespace spool::detail
