// A seeded runtime's worker: home decides before each operation who goes on. `attention_` stays set, so that every switch
// goes home, and a turn is one operation, so that every operation that need not wait ends in one.
#include <spool/runtime/detail/asymmetric_fence.hpp>
#include "futex.hpp"
#include "raised_signals.hpp"
#include "scheduler.hpp"
#include "seeded.hpp"
#include "worker.hpp"

#include <algorithm>

namespace spool::detail {
namespace {

using namespace std::chrono_literals;
using real_clock = std::chrono::steady_clock;

constexpr auto first_look = 50us;   // at what goes on outside
constexpr auto last_look = 5ms;
constexpr auto patience = 10s;      // with threads that outlast a deadlock

}  // namespace

void worker::loop_seeded() noexcept {
  seeded& s = *owner.driver();
  attention_.store(true, std::memory_order_relaxed);
  for (;;) {
    gather();
    if (s.over()) {
      s.end(owner);
      continue;
    }
    if (!timers.empty()) {
      const bool early = s.any_ready() && s.schedule.timer_early();
      if (early) s.advance_to(std::max(s.now(), timers.next_deadline()));
      if (timers.next_deadline() <= s.now() && (early || !s.any_ready() || s.schedule.timer_first())) {
        s.schedule.timer_fired();
        timers.fire_one(s.schedule.bits());
        continue;
      }
    }
    if (s.any_ready()) {
      resume_chosen(s);
    } else if (!wait_for_more(s)) {
      return;
    }
  }
}

/// Everything that is ready, in an order that depends on the run alone.
void worker::gather() noexcept {
  seeded& s = *owner.driver();
  if (!s.any_ready()) take_raised_signals();
  if (boost_in_use_) serve_boost(false);
  if (pinned_inbox_.load(std::memory_order_relaxed) != nullptr) drain_pinned_inbox();
  while (runnable* r = pinned_.pop_front()) s.add(*r);
  while (runnable* r = queue.pop()) s.add(*r);
  if (owner.starving()) {
    runnable_chain starved = owner.take_starved();
    while (runnable* r = starved.pop_front()) s.add(*r);
  }
  if (owner.inbox_empty()) return;
  if (s.running()) s.note_outside();
  runnable_chain arrived = owner.take_inbox();
  while (runnable* r = arrived.pop_front()) s.add(*r);
}

void worker::resume_chosen(seeded& s) noexcept {
  const ready_fiber chosen = s.take();
  runnable* r = chosen.what;
  fiber* to = r->what == runnable::kind::task ? runner_for(static_cast<task&>(*r)) : static_cast<fiber*>(r);
  if (to == nullptr) return;
  to->slots[seeded_slot] = reinterpret_cast<void*>(std::uintptr_t{chosen.number});
  prepare(*to);
  // Whatever the fiber before it has left of its turn: that depends on the runs before this one.
  budget_.store(s.schedule.preempts() ? 1 : operations_per_turn, std::memory_order_relaxed);
  resume(*to);
  const bool gave_way = after_ == after::requeue && !s.take_preemption();
  if (gave_way) s.schedule.yielded(chosen.number);
  arrive();
}

/// Nothing is ready. False: nothing ever will be.
bool worker::wait_for_more(seeded& s) noexcept {
  if (!s.running()) {
    if (s.begin_asked(owner)) return true;
    if (owner.exiting()) return false;
    if (owner.stopping() && owner.live() == 0) owner.check_drained();
    rest_seeded(s, real_clock::now() + 1s);
    return true;
  }
  if (boost_in_use_) serve_boost(true);
  if (!queue.empty()) return true;
  const bool boost_sleeps = boost_in_use_ && boost_deadline.load(std::memory_order_relaxed) != time_point::max();
  if (owner.live() != 0 && (boost_sleeps || s.outside_busy(owner)) && wait_for_outside(s)) return true;
  if (s.wake_settled()) return true;
  if (!timers.empty() && owner.live() != 0) {
    s.advance_to(std::max(s.now(), timers.next_deadline()));
    return true;
  }
  s.end(owner);
  return true;
}

/// Something outside may act: until it has, the bubble's time goes as the real one. False: that takes too long. If it was
/// only on its way out no time has passed, so that a run does not depend on what had been going on before it.
bool worker::wait_for_outside(seeded& s) noexcept {
  const time_point began = real_clock::now();
  const time_point virtual_began = s.now();
  std::chrono::nanoseconds look = first_look;
  for (;;) {
    rest_seeded(s, real_clock::now() + look);
    const auto passed = real_clock::now() - began;
    const bool came = !owner.inbox_empty() || pinned_inbox_.load(std::memory_order_relaxed) != nullptr;
    if (came || boost_in_use_ || virtual_began + passed >= timers.next_deadline()) {
      s.note_outside();
      s.advance_to(std::min(virtual_began + passed, timers.next_deadline()));
      return true;
    }
    if (!s.outside_busy(owner)) return true;
    if (timers.empty() && passed > patience) return false;
    look = std::min<std::chrono::nanoseconds>(look * 2, last_look);
  }
}

/// Until called, or until `until` of the real clock.
void worker::rest_seeded(const seeded& s, time_point until) noexcept {
  idle_set& idle = owner.idle();
  sleep_word_.store(asleep, std::memory_order_relaxed);
  idle.enter(*this, false);
  heavy_fence();  // as in sleep()
  if (owner.inbox_empty() && !owner.exiting() && !s.asked() && pinned_inbox_.load(std::memory_order_seq_cst) == nullptr) {
    while (sleep_word_.load(std::memory_order_acquire) == asleep && real_clock::now() < until) {
      futex_wait(sleep_word_, asleep, until);
    }
  }
  sleep_word_.store(awake, std::memory_order_relaxed);
  if (!idle.leave(*this)) idle.end_search();
}

void worker::preempt() noexcept {
  seeded& s = *owner.driver();
  // Boost's primitives wake under their own spin locks, for which others would spin on this very thread.
  if (current_ == nullptr || boost_in_use_ || s.held() || !s.schedule.preempts()) return;
  s.note_preemption();
  yield();
}

}  // namespace spool::detail
