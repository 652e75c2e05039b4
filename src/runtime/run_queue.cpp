#include "run_queue.hpp"

#include "pause.hpp"

#include <sched.h>

#include <algorithm>
#include <new>
#include <utility>

namespace spool::detail {

void run_queue::stand_back() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  while (thief_seen()) {
    busy_.store(false, std::memory_order_release);
    for (unsigned spins = 0; thief_seen(); ++spins) {
      if (spins < 200) {
        cpu_pause();
      } else {
        ::sched_yield();  // the thief may have lost its CPU
      }
    }
    busy_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  if (++fenced_operations_ % fenced_before_reconsidering == 0) reconsider_fences();
}

/// Owner: light fences again, when thieves have become rare.
void run_queue::reconsider_fences() noexcept {
  if (!fences_are_asymmetric() || robbed_.exchange(true, std::memory_order_acquire)) return;
  if (popped() - popped_at_theft_ >= seldom_robbed) {
    thief_.fetch_and(static_cast<std::uint8_t>(~full_fences), std::memory_order_relaxed);
  }
  robbed_.store(false, std::memory_order_release);
}

void run_queue::append_slowly(runnable* r) noexcept {
  constexpr std::size_t first_capacity = 256;
  if (overflow_.first == nullptr) {
    const std::size_t capacity = std::max(first_capacity, capacity_ * 2);
    if (auto* larger = new (std::nothrow) runnable*[capacity]) {
      for (std::size_t i = head_; i != tail_; ++i) larger[i & (capacity - 1)] = ring_[i & (capacity_ - 1)];
      ring_.reset(larger);
      capacity_ = capacity;
      ring_[tail_++ & (capacity_ - 1)] = r;
      return;
    }
  }
  overflow_.push_back(r);
}

void run_queue::fetch_ahead() noexcept {
  __builtin_prefetch(ring_[(head_ + 1) & (capacity_ - 1)]);
  const runnable* next = ring_[head_ & (capacity_ - 1)];
  if (next->what == runnable::kind::fiber) fetch_runner(next);
}

runnable* run_queue::take_newest() noexcept {
  if (overflow_.first != nullptr || head_ == tail_ || ++newest_uses_ % newest_uses_limit == 0) return nullptr;
  const auto at = [this](std::size_t i) -> runnable*& { return ring_[i & (capacity_ - 1)]; };
  const auto is_task = [at](std::size_t i) { return at(i)->what == runnable::kind::task; };
  if (!is_task(head_)) return nullptr;
  // Behind the newest task stand fibers that have become ready since. They and the tasks go by turns, and they among
  // themselves in their order: one that yields all the time keeps nobody waiting.
  std::size_t behind = tail_;
  while (!is_task(behind - 1)) {
    if (tail_ - --behind > most_behind) return nullptr;
  }
  const bool turn_of_fibers = behind != tail_ && newest_uses_ % 2 == 0;
  const std::size_t chosen = turn_of_fibers ? behind : behind - 1;
  runnable* r = at(chosen);
  --tail_;
  for (std::size_t i = chosen; i != tail_; ++i) at(i) = at(i + 1);
  return r;
}

void run_queue::steal(loot& taken) noexcept {
  if (robbed_.exchange(true, std::memory_order_acquire)) return;
  begin_theft();
  bool inside = false;
  for (unsigned spins = 0; spins < 2000; ++spins) {
    if (!busy_.load(std::memory_order_acquire)) {
      inside = true;
      break;
    }
    cpu_pause();
  }
  if (inside) {
    const std::size_t wanted = std::min((size() + 1) / 2, loot::most);
    while (taken.count < wanted) {
      runnable* r = take_head();
      if (r == nullptr) r = std::exchange(next_, nullptr);
      if (r == nullptr) break;
      taken.items[taken.count++] = r;
    }
    count_out(taken.count);
  }
  end_theft();
  robbed_.store(false, std::memory_order_release);
}

void run_queue::begin_theft() noexcept {
  const bool often = popped() - popped_at_theft_ < often_robbed;
  const std::uint8_t before = thief_.fetch_or(often ? at_work | full_fences : at_work, std::memory_order_relaxed);
  if ((before & full_fences) != 0) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    heavy_fence();
  }
}

void run_queue::end_theft() noexcept {
  popped_at_theft_ = popped();
  thief_.fetch_and(static_cast<std::uint8_t>(~at_work), std::memory_order_release);
}

}  // namespace spool::detail
