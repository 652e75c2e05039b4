#include "watchdog.hpp"

#include "runtime/fiber.hpp"
#include "runtime/peek.hpp"
#include "runtime/scheduler.hpp"
#include "runtime/thread_state.hpp"
#include "runtime/worker.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace stress {
namespace {

std::mutex registry_mutex;
spool::detail::intrusive_list<activity> registry;  // guarded by registry_mutex

const spool::detail::fiber* current_fiber() {
  const spool::detail::worker* w = spool::detail::current_worker();
  return w != nullptr ? w->current() : nullptr;
}

/// Its waker has done its part. A glance at a wait that may be ending; only what is seen for long is believed.
bool called(const spool::detail::fiber* f) {
  if (f == nullptr) return false;
  const spool::detail::waiter* const w = f->waiting.load();
  alignas(spool::detail::waiter) std::byte copy[sizeof(spool::detail::waiter)];
  const bool claimed = w != nullptr && spool::detail::peek(w, copy, sizeof copy) &&
                       reinterpret_cast<const spool::detail::waiter*>(copy)->claimed();
  return claimed || f->state_.load() == spool::detail::fiber::notified;
}

/// Empty, unless the workers of a runtime sleep over work. Looked at when nothing has moved for long.
std::string work_slept_over() {
  std::string found;
  spool::detail::scheduler_registry::all_of([&](spool::detail::scheduler& s) {
    std::size_t queued = s.inbox_empty() ? 0 : 1;
    bool runs = false;
    for (const auto& w : s.workers()) {
      queued += w->queue.size();
      runs = runs || w->runs();
    }
    if (queued != 0 && !runs)
      found += "lost wake-up: all workers of a runtime sleep, though its queues are not empty\n";
    return true;
  });
  return found;
}

}  // namespace

activity::activity(std::string name) : name_(std::move(name)) {
  const std::lock_guard lock(registry_mutex);
  registry.push_back(*this);
}

activity::~activity() {
  const std::lock_guard lock(registry_mutex);
  registry.erase(*this);
}

void activity::begin(const char* what, there_fn there, bool may_last) {
  const std::lock_guard lock(mu_);
  what_ = what;
  there_ = std::move(there);
  may_last_ = may_last;
  since_ = std::chrono::steady_clock::now();
  there_since_ = time_point::max();
}

void activity::end() {
  const std::lock_guard lock(mu_);
  what_ = nullptr;
  there_ = nullptr;
}

void activity::starts() {
  begin(
      "a run queue, not yet begun", [] { return "it was started"; }, false);
}

void activity::runs() {
  end();
  const std::lock_guard lock(mu_);
  fiber_ = current_fiber();
}

watchdog::watchdog(std::chrono::nanoseconds patience)
    : patience_(patience), thread_([this](const std::stop_token& over) {
        while (!over.stop_requested()) {
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
          const std::string found = stuck();
          if (found.empty()) continue;
          std::fprintf(stderr, "spool_stress: somebody is stuck\n%s", found.c_str());
          std::_Exit(1);
        }
      }) {}

watchdog::~watchdog() = default;

std::string watchdog::lost(activity& a, time_point now) const {
  const bool was_called = called(a.fiber_);
  const std::string there = a.there_();
  if (!was_called && there.empty()) {
    a.there_since_ = time_point::max();
    return {};
  }
  a.there_since_ = std::min(a.there_since_, now);
  if (now - a.there_since_ < patience_) return {};
  return was_called ? "it was called, and no worker runs it" : there + ", and nobody has called it";
}

std::string watchdog::stuck() const {
  std::string found;
  std::string others;
  bool tell_others = false;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard registered(registry_mutex);
  for (activity* a = registry.front(); a != nullptr; a = registry.next(*a)) {
    const std::lock_guard lock(a->mu_);
    if (a->what_ == nullptr) continue;
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.1f s", std::chrono::duration<double>(now - a->since_).count());
    const std::string waits = a->name_ + " waits in " + a->what_ + " for " + seconds;
    if (const std::string why = lost(*a, now); !why.empty()) {
      found += "lost wake-up: " + waits + ", though " + why + "\n";
    } else if (!a->may_last_ && now - a->since_ >= patience_) {
      others += "beside it: " + waits + "\n";
      tell_others = tell_others || now - a->since_ >= 10 * patience_;
    }
  }
  if (tell_others) found += work_slept_over();
  return found.empty() && !tell_others ? "" : found + others;
}

}  // namespace stress
