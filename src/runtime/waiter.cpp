#include <spool/runtime/detail/waiter.hpp>

#include "fiber.hpp"
#include "futex.hpp"
#include "pause.hpp"
#include "plain_threads.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <spool/runtime/detail/timer_node.hpp>
#include <spool/runtime/this_fiber.hpp>

#include <exception>

namespace spool::detail {
namespace {

// What a plain thread's word says.
constexpr std::uint32_t awake = 0;
constexpr std::uint32_t woken = 1;
constexpr std::uint32_t blocked = 2;  // counted in thread_census::blocked; whoever wakes it takes it out

constexpr std::chrono::microseconds longest_look{2};

/// Ends a wait at its deadline. Fires under the timer queue's lock, so the waiter is there.
struct deadline_timer : timer_node {
  explicit deadline_timer(waiter& w) noexcept : timer_node(&expire, mode::locked), owner(w) {}
  static void expire(timer_node& node, timer_queue*) noexcept {
    waiter& w = static_cast<deadline_timer&>(node).owner;
    if (w.claim(waiter::timed_out)) w.wake();
  }
  waiter& owner;
};

/// Who is to wake a thread is often about to, and a thread that sleeps comes back late: it first looks for a little while.
bool woken_at_a_look(const std::atomic<std::uint32_t>& word) noexcept {
  const time_point end = clock::now() + longest_look;
  do {
    for (int i = 0; i < 8; ++i) cpu_pause();
    if (word.load(std::memory_order_acquire) == woken) return true;
  } while (clock::now() < end);
  return false;
}

/// False: no memory for the queue to grow, or, on a plain thread, no thread to serve it.
bool armed(timer_node& timer, time_point when) noexcept try {
  arm_timer(timer, when);
  return true;
} catch (const std::exception&) {
  return false;
}

}  // namespace

const char nobody[] = "nobody";
const char mutex_wait[] = "mutex";
const char shared_mutex_wait[] = "shared_mutex";
const char shared_mutex_read_wait[] = "shared_mutex (shared)";
const char channel_send_wait[] = "channel send";
const char channel_recv_wait[] = "channel recv";

void waiter::rearm() noexcept {
  outcome_.store(pending, std::memory_order_relaxed);
  thread_word_.store(awake, std::memory_order_relaxed);
}

void waiter::wake_thread() noexcept {
  std::uint32_t seen = awake;
  if (thread_word_.compare_exchange_strong(seen, woken, std::memory_order_release, std::memory_order_relaxed)) return;
  // Out of the census before it can run: a thread that was woken is not blocked, even before it got a CPU.
  thread_census::blocked.fetch_sub(1, std::memory_order_seq_cst);
  thread_word_.store(woken, std::memory_order_release);
  futex_wake(thread_word_);
}

waiter::outcome waiter::wait(wait_site site) noexcept {
  if (fiber_ == nullptr) return wait_on_thread(time_point::max());
  fiber_->park(*this, site);
  return outcome_.load(std::memory_order_acquire);
}

waiter::outcome waiter::wait_on_thread_unlocking(biased_lock& held) noexcept {
  held.unlock();
  return wait_on_thread(time_point::max());
}

waiter::outcome waiter::wait_until(time_point deadline, wait_site site) noexcept {
  if (deadline == time_point::max()) return wait(site);
  if (fiber_ == nullptr) return wait_on_thread(deadline);
  if (deadline <= clock::now()) {
    if (claim(timed_out)) return timed_out;
    return wait(site);  // claimed by another: its wake() is under way
  }
  deadline_timer timer(*this);
  while (!armed(timer, deadline)) {
    if (claimed()) return wait(site);
    if (clock::now() >= deadline && claim(timed_out)) return timed_out;
    this_fiber::yield();  // until the timer can be had, or the wait is over
  }
  const outcome how = wait(site);
  if (how != timed_out) cancel_timer(timer);
  return how;
}

waiter::outcome waiter::wait_on_thread(time_point deadline) noexcept {
  if (woken_at_a_look(thread_word_)) return outcome_.load(std::memory_order_acquire);
  std::uint32_t expected = awake;
  if (!thread_word_.compare_exchange_strong(expected, blocked, std::memory_order_acquire)) {
    return outcome_.load(std::memory_order_acquire);
  }
  // With a deadline the thread wakes by itself, which is an activity that the detector cannot foresee.
  const bool timed = deadline != time_point::max();
  if (timed) thread_census::outside_sources.fetch_add(1, std::memory_order_seq_cst);
  // Not before: a thread that was woken already, and lost its CPU here, would count as blocked, and the detector would prove
  // those stuck that it is about to wake. Whoever wakes it now may come first with its step down.
  thread_census::blocked.fetch_add(1, std::memory_order_seq_cst);
  while (thread_word_.load(std::memory_order_acquire) == blocked) {
    if (deadline != time_point::max() && clock::now() >= deadline) {
      if (claim(timed_out)) {
        thread_census::blocked.fetch_sub(1, std::memory_order_seq_cst);
        break;
      }
      deadline = time_point::max();  // claimed by another: its wake() is under way
    }
    futex_wait(thread_word_, blocked, deadline);
  }
  if (timed) thread_census::outside_sources.fetch_sub(1, std::memory_order_seq_cst);
  return outcome_.load(std::memory_order_acquire);
}

void* fiber_slot(unsigned index) noexcept {
  fiber* f = current_fiber();
  return f != nullptr ? f->slots[index] : nullptr;
}

void set_fiber_slot(unsigned index, void* value) noexcept {
  if (fiber* f = current_fiber()) f->slots[index] = value;
}

}  // namespace spool::detail
