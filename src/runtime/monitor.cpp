#include "monitor.hpp"

#include "base/log.hpp"
#include "blocked_signals.hpp"
#include "detector.hpp"
#include "futex.hpp"
#include "plain_threads.hpp"
#include "scheduler.hpp"

#include <fmt/ranges.h>

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
  if (word_.load(std::memory_order_seq_cst) == 1 && word_.exchange(0, std::memory_order_seq_cst) == 1) futex_wake(word_);
}

void monitor::run() noexcept {
  const own_thread counted;
  ::pthread_setname_np(::pthread_self(), (scheduler_.options().name.substr(0, 10) + "-mon").c_str());
  pulses_.resize(scheduler_.workers().size());
  auto pace = std::chrono::milliseconds(tick);
  auto patience = std::chrono::milliseconds(tick);
  while (exit_.load(std::memory_order_seq_cst) == 0) {
    const bool stopping = scheduler_.stopping();
    if (scheduler_.at_rest() && !stopping) {
      // Who cannot be proven stuck now may be later: a thread that could have woken it ends, or comes to wait itself.
      const bool settled = look_for_deadlock();
      if (rest_until(settled ? time_point::max() : clock::now() + patience)) patience = tick;
      patience = std::min<std::chrono::milliseconds>(patience * 2, longest_patience);
      continue;
    }
    futex_wait(exit_, 0, clock::now() + pace);
    const time_point now = clock::now();
    relieve_busy_workers(now);
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
    if (w.timers.next_deadline() < now - overdue) w.timers.fire_due(now);
    const std::uint64_t pulse = w.switches_.load(std::memory_order_relaxed);
    const bool at_one_fiber = pulse == pulses_[i];
    const bool stuck = at_one_fiber && !w.queue.empty();
    pulses_[i] = pulse;
    if (stuck) scheduler_.ask_for_relief();
    if (at_one_fiber) w.give_back_moved();
    if (stuck || !scheduler_.inbox_empty()) scheduler_.idle().wake_one();
  }
  if (scheduler_.reactor_unattended()) have_reactor_served();
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
  const auto lines = describe_remaining(scheduler_);
  log()->error("spool: deadlock (proven): nothing in this process can wake these {} fibers of runtime \"{}\":\n  {}",
                lines.size(), scheduler_.options().name, fmt::join(lines, "\n  "));
  if (scheduler_.options().on_deadlock == deadlock_policy::abort) {
    log()->flush();
    std::abort();
  }
  return true;
}

void monitor::watch_the_end(time_point now) noexcept {
  if (stop_began_ == time_point{}) {
    stop_began_ = now;
    next_report_ = now + report_every;
  }
  if (scheduler_.live() == 0) return;
  if (nothing_can_happen()) {
    const auto lines = abandon_waiting(scheduler_);
    if (!lines.empty()) {
      log()->error("spool: leak (proven): the run of runtime \"{}\" ends without these {} fibers, which nothing can wake:\n  {}",
                    scheduler_.options().name, lines.size(), fmt::join(lines, "\n  "));
      return;
    }
  }
  const auto& limit = scheduler_.options().stop_timeout;
  const bool late = limit && now - stop_began_ >= *limit;
  if (!late && now < next_report_) return;
  next_report_ = now + report_every;
  const auto lines = describe_remaining(scheduler_);
  log()->warn("spool: the run of runtime \"{}\" has waited {} s for {} fibers to end:\n  {}", scheduler_.options().name,
               std::chrono::duration_cast<std::chrono::seconds>(now - stop_began_).count(), scheduler_.live(),
               fmt::join(lines, "\n  "));
  if (late) {
    log()->critical("spool: stop_timeout of {} ms has passed; terminating", limit->count());
    log()->flush();
    std::terminate();
  }
}

}  // namespace spool::detail
