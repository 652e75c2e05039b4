// Fibers that talk to each other all the time gather on one worker.
//
// While the lock of a channel goes from core to core, each operation waits for cache lines that on one core are at hand. A
// worker whose fibers find locks taken at short intervals sends those fibers to the worker that the lock is marked with,
// one by one, each before its next operation, when it holds no lock. With a microsecond of work per message they find a
// lock taken far less often, and nobody moves.
#include "scheduler.hpp"
#include "seeded.hpp"
#include "worker.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace spool::detail {
namespace {

using namespace std::chrono_literals;

constexpr unsigned burst = 32;          // contentions per look at the clock
#ifdef BOOST_USE_TSAN
constexpr auto short_interval = 40us;   // everything takes as much longer
#else
constexpr auto short_interval = 400ns;  // between two of them: moving costs less than going on
#endif
constexpr auto per_withdrawal = 1ms;  // without a bias
constexpr std::uint8_t mark_lasts = 4;  // in units of the mark's clock

/// About a millisecond each.
std::uint8_t coarse(time_point now) noexcept { return static_cast<std::uint8_t>(now.time_since_epoch().count() >> 20); }

}  // namespace

unsigned contention_mark::claim(unsigned self, time_point now) noexcept {
  const std::uint8_t named = worker_.load(std::memory_order_relaxed);
  const auto age = static_cast<std::uint8_t>(coarse(now) - when_.load(std::memory_order_relaxed));
  if (named != 0 && age < mark_lasts) return named - 1u;
  when_.store(coarse(now), std::memory_order_relaxed);
  worker_.store(static_cast<std::uint8_t>(self + 1), std::memory_order_relaxed);
  return self;
}

void worker::meet_contention(contention_mark& mark) noexcept {
  if (++contentions_ == burst) {
    const time_point now = clock::now();
    contended_ = now - burst_began_ < burst * short_interval;
    burst_began_ = now;
    contentions_ = 0;
  }
  if (!contended_ || current_->pinned_to != nullptr) return;
  const unsigned home = mark.claim(index, burst_began_);
  if (home == index || home >= owner.workers().size()) return;  // a channel may be shared with another runtime
  mover_ = current_;
  destination_ = owner.workers()[home].get();
  // The turn ends before its next operation, unless the fiber parks; then it goes to whoever wakes it.
  const unsigned kept = budget_.exchange(1, std::memory_order_relaxed) - 1;
  ended_turns_.store(ended_turns_.load(std::memory_order_relaxed) - kept, std::memory_order_relaxed);
}

bool worker::may_take_bias() noexcept {
  if (!fences_are_asymmetric()) return false;
  const std::uint32_t withdrawn = withdrawals_from(bias.id());
  const time_point now = clock::now();
  biases_from_ = std::max(biases_from_, now) + (withdrawn - std::exchange(withdrawals_seen_, withdrawn)) * per_withdrawal;
  return now >= biases_from_;
}

void worker::end_turn() noexcept {
  if (owner.driver() != nullptr) owner.driver()->note_preemption();
  renew_budget();
  if (current_ == nullptr) return;  // a reactor's handler
  if (mover_ != current_ || current_->pinned_to != nullptr) {
    yield();
    return;
  }
  mover_ = nullptr;
  bounced_ = true;
  leave_for(pick_local(), after::move);
}

void worker::receive(fiber& moved) noexcept {
  runnable* head = moved_.load(std::memory_order_relaxed);
  do {
    moved.next = head;
  } while (!moved_.compare_exchange_weak(head, &moved, std::memory_order_release, std::memory_order_relaxed));
  attention_.store(true, std::memory_order_seq_cst);
  wake_thread();
}

void worker::drain_moved() noexcept {
  const runnable_chain arrived = in_order(moved_.exchange(nullptr, std::memory_order_acquire));
  queue.push_chain(arrived);
  if (arrived.count > 0 && queue.size() > 1) owner.idle().notice_local_push();
}

void worker::give_back_moved() noexcept {
  if (moved_.load(std::memory_order_relaxed) == nullptr) return;
  runnable_chain taken = in_order(moved_.exchange(nullptr, std::memory_order_acquire));
  while (runnable* r = taken.pop_front()) owner.make_ready(static_cast<fiber&>(*r));
}

}  // namespace spool::detail
