#include "detector.hpp"

#include "plain_threads.hpp"
#include "scheduler.hpp"
#include "stack_sample.hpp"

#ifdef BOOST_USE_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#include <chrono>
#include <csignal>
#include <utility>

namespace spool::detail {
namespace {

/// Who handles a signal by which a process that has gone wrong ends writes a report, and wakes nobody; any other handler might.
bool signal_handlers_installed() noexcept {
  for (int number = 1; number < NSIG; ++number) {
    if (number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL || number == SIGABRT ||
        number == SIGKILL || number == SIGSTOP) {
      continue;
    }
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0 || is_samplers(action)) continue;
    if ((action.sa_flags & SA_SIGINFO) != 0 || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)) return true;
  }
  return false;
}

// A wait this long is not one that is about to begin.
constexpr std::chrono::milliseconds settled{100};

struct look {
  bool rest = false;
  std::uint64_t activity = 0;
  std::int64_t own = 0;
  std::int64_t blocked = 0;
  friend bool operator==(const look&, const look&) = default;
};

look look_around() noexcept {
  look seen;
  seen.own = thread_census::own.load(std::memory_order_seq_cst);
  seen.blocked = thread_census::blocked.load(std::memory_order_seq_cst);
  seen.rest = thread_census::outside_sources.load(std::memory_order_seq_cst) == 0 && !plain_timers_armed();
  seen.rest = scheduler_registry::all_of([&](scheduler& s) {
    seen.activity += s.activity();
    // A helper thread that is about to end destroys the thread-locals of the calls that it has run, handles among them.
    if (!s.at_rest() || s.helpers().stats().threads != 0) return false;
    if (const reactor* io = s.attached_reactor(); io != nullptr && !io->quiet()) return false;
    for (const auto& w : s.workers()) {
      if (!w->timers.empty() || w->boost_deadline.load(std::memory_order_seq_cst) != time_point::max()) return false;
    }
    return true;
  }) && seen.rest;
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in firing_thread
  seen.rest = seen.rest && thread_census::firing.load(std::memory_order_seq_cst) == 0;
  return seen;
}

/// Claims what they wait on; registry lock held. Keeps those in `stuck` before the first whom another has claimed.
void abandon(std::vector<fiber*>& stuck) noexcept {
  for (std::size_t i = 0; i < stuck.size(); ++i) {
    fiber* f = stuck[i];
    if (!f->waiting.load()->claim(waiter::abandoned)) {
      stuck.resize(i);
      return;
    }
    intrusive_list<fiber>::erase(*f);
#ifdef BOOST_USE_ASAN
    __lsan_register_root_region(f->stack.low, f->stack.bytes);  // reported as a leak already; what it holds is not lost
#endif
  }
}

}  // namespace

bool nothing_can_happen() noexcept {
  const look first = look_around();
  if (!first.rest) return false;
  const auto threads = static_cast<std::int64_t>(thread_census::all());
  if (threads == 0 || threads != first.own + first.blocked) return false;
  if (signal_handlers_installed()) return false;
  return look_around() == first;
}

std::vector<fiber_info> abandon_waiting(scheduler& s) {
  std::vector<fiber_info> lost = list_fibers(s);
  std::vector<fiber*> stuck;
  {
    const std::lock_guard lock(s.registry_mutex());
    auto& fibers = s.fibers();
    for (fiber* f = fibers.front(); f != nullptr; f = fibers.next(*f)) {
      if (!f->busy()) continue;
      // A fiber in a primitive of Boost's cannot be taken out of it.
      if (f->guest || f->in_boost.load() || f->waiting.load() == nullptr) return {};
      stuck.push_back(f);
    }
    abandon(stuck);
  }
  lost.resize(std::min(lost.size(), stuck.size()));
  return lost;
}

std::vector<fiber_info> abandon_waiting_on_nobody(scheduler& s) {
  std::vector<fiber_info> lost;
  std::vector<fiber*> stuck;
  const time_point now = clock::now();
  {
    const std::lock_guard lock(s.registry_mutex());
    auto& fibers = s.fibers();
    for (fiber* f = fibers.front(); f != nullptr; f = fibers.next(*f)) {
      if (f->wait_object.load() != nobody || f->waiting.load() == nullptr || !f->busy()) continue;
      fiber_info info = s.describe(*f, now);
      if (info.waits_for < settled) continue;
      stuck.push_back(f);
      lost.push_back(std::move(info));
    }
    abandon(stuck);
  }
  lost.resize(stuck.size());
  return lost;
}

}  // namespace spool::detail
