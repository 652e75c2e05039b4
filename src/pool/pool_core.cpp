#include "pool_core.hpp"

#include "runtime/pause.hpp"

#include <spool/runtime/detail/fiber_local.hpp>
#include <spool/runtime/detail/seeded.hpp>
#include <spool/runtime/this_fiber.hpp>
#include <spool/sync/detail/claim.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <new>
#include <utility>

namespace spool::detail {
namespace {

constexpr waiter::outcome refused = waiter::done + 1;  // a submitter whose pool was closed
constexpr std::chrono::microseconds longest_look{5};
constexpr unsigned waits_without_a_look = 16;  // after one that was in vain
constexpr std::size_t least_to_be_patient = 16;  // capacity
constexpr std::chrono::microseconds longest_patience{500};

channel_status status_of(const context& ctx) {
  return ctx.err() == errc::deadline_exceeded ? channel_status::timeout : channel_status::canceled;
}

}  // namespace

struct pool_core::submitter : wait_node {
  submitter(waiter& w, pool_job& waiting) noexcept : wait_node(w), job(&waiting) {}
  pool_job* job;  // queued by whoever makes room, so that jobs keep the order in which their submitters came
};

pool_core::executor* pool_core::own_job() const noexcept {
  auto* here = static_cast<executor*>(fiber_slot(worker_pool_slot));
  return here != nullptr && here->pool == this ? here : nullptr;
}

std::size_t pool_core::room() const noexcept {
  const std::size_t most = capacity_ + free_slots();
  const std::uint64_t taken = queued();
  return most > taken ? most - static_cast<std::size_t>(taken) : 0;
}

void pool_core::push(pool_job& job) noexcept {
  job.next = nullptr;
  (arrivals_ == nullptr ? arrivals_ : last_arrival_->next) = &job;
  last_arrival_ = &job;
  ++accepted_;
}

void pool_core::receive() noexcept {
  if (ready_ == nullptr) ready_ = std::exchange(arrivals_, nullptr);
}

pool_job* pool_core::take() noexcept {
  pool_job* const first = ready_;
  if (first == nullptr) return nullptr;
  ready_ = first->next;
  __builtin_prefetch(ready_);
  taken_.store(taken_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  ++busy_;
  return first;
}

void pool_core::ask_for_executors(deeds& todo) noexcept {
  while (executors_ < workers_ && executors_ - busy_ < queued()) {
    ++executors_;
    ++live_;
    ++todo.spawns;
  }
}

// To wake a thread costs as much as many a job, and it wants a CPU that a worker has. One that had to wait for room is therefore
// woken once it can fill half the queue, or after longest_patience: its job is accepted in its turn all the same. Not if a fiber
// is next in line, which is woken at once and would be back there before it.
void pool_core::serve(deeds& todo, patience with_threads) noexcept {
  // Jobs that have begun go before jobs that have not: they hold more.
  while (executors_ < workers_) {
    wait_node* job = claim_first(returning_);
    if (job == nullptr) break;
    ++executors_;
    ++busy_;
    todo.woken.push_back(*job);
  }
  const bool new_batch = to_wake_.empty();
  std::size_t left = room();
  for (; left > 0; --left) {
    wait_node* next = claim_first(submitters_);
    if (next == nullptr) break;
    push(*static_cast<submitter*>(next)->job);
    --waiting_;
    (next->owner->who() == nullptr ? to_wake_ : todo.woken).push_back(*next);
  }
  const bool others_wait = has_waiter(submitters_);
  if (!to_wake_.empty()) {
    const bool fiber_is_next = others_wait && submitters_.front()->owner->who() != nullptr;
    const bool patient = with_threads == patience::some && left < capacity_ / 2 && !fiber_is_next;
    if (!patient || !may_wake_later(new_batch, todo)) todo.woken.splice_back(to_wake_);
  }
  credit_ = std::min(credit_, left);
  submitters_wait_ = others_wait || !to_wake_.empty();
  ask_for_executors(todo);
}

void pool_core::release_live(deeds& todo) noexcept {
  --live_;
  if (idle()) claim_all(draining_, todo.woken);
}

void pool_core::start_executors(std::size_t count) noexcept {
  // All of them are in live_ already: until the last spawn the pool is there, after it nothing here touches it.
  while (count > 0) {
    try {
      spawn(
          scheduler_, [this]() noexcept { execute(); }, where_);
      --count;
    } catch (const std::bad_alloc&) {
      // The job behind it is accepted: it cannot be refused any more. So it has to wait for 64 bytes.
      this_fiber::yield();
    }
  }
}

// As long as jobs end, who counts them looks at the clock. The timer is for those that compute or wait until the thread goes on; left
// over from a former batch it fires early, which does no harm.
bool pool_core::may_wake_later(bool new_batch, deeds& todo) noexcept {
  if (capacity_ < least_to_be_patient || on_seeded_fiber()) return false;  // where time stands while fibers can run
  const time_point now = clock::now();
  if (new_batch) wake_by_ = now + longest_patience;
  if (!wake_timer_armed_) wake_timer_armed_ = todo.arms_wake_timer = true;
  return now < wake_by_;
}

void pool_core::arm_wake_timer() noexcept try {
  arm_timer(wake_timer_, clock::now() + longest_patience);
} catch (const std::exception&) {  // no memory for the queue to grow
  wake_threads();
}

void pool_core::wake_threads() noexcept {
  wait_queue woken;
  {
    const thread_guard guard(entry_mu_);
    wake_timer_armed_ = false;
    woken.splice_back(to_wake_);
  }
  wake_all(woken);
}

// With nothing to spawn and no timer to arm this does not touch the pool, which may be gone. Otherwise it is there: live_
// counts the new executor already, and who was patient.
void pool_core::perform(deeds& todo) noexcept {
  if (todo.arms_wake_timer) arm_wake_timer();
  if (todo.spawns > 0) start_executors(todo.spawns);
  wake_all(todo.woken);
}

channel_status pool_core::count_refusal(channel_status why) noexcept {
  {
    const std::lock_guard guard(entry_mu_);
    ++rejected_;
  }
  spend_budget();
  return why;
}

channel_status pool_core::admission(const context* ctx, bool may_wait) {
  if (ctx != nullptr && ctx->done()) return count_refusal(status_of(*ctx));
  {
    const std::lock_guard guard(entry_mu_);
    if (closed_) {
      ++rejected_;
      return channel_status::closed;
    }
    if (may_wait || credit_ > 0) return channel_status::ok;
  }
  both_locks locks{*this};
  const std::lock_guard guard(locks);
  if (!closed_ && room() > 0) return channel_status::ok;
  ++rejected_;
  return closed_ ? channel_status::closed : channel_status::full;
}

channel_status pool_core::enqueue(pool_job& job, const context* ctx, bool may_wait) {
  entry_mu_.lock();
  if (credit_ == 0 || executors_ < workers_) [[unlikely]] {
    entry_mu_.unlock();
    return enqueue_slowly(job, ctx, may_wait);
  }
  --credit_;
  push(job);
  entry_mu_.unlock();
  spend_budget();
  return channel_status::ok;
}

channel_status pool_core::enqueue_slowly(pool_job& job, const context* ctx, bool may_wait) noexcept {
  deeds todo;
  both_locks locks{*this};
  locks.lock();
  if (may_wait && room() == 0) look_for_room(todo);
  const std::size_t left = room();
  if (closed_ || (!may_wait && left == 0)) {
    const bool closed = closed_;
    ++rejected_;
    locks.unlock();
    perform(todo);
    spend_budget();
    return closed ? channel_status::closed : channel_status::full;
  }
  if (left == 0) return wait_for_room(job, ctx);  // nothing is left to do: the look did not end a drain
  push(job);  // nobody is waiting: I4
  credit_ = left - 1;
  ask_for_executors(todo);
  locks.unlock();
  perform(todo);
  spend_budget();
  return channel_status::ok;
}

// A plain thread that is woken goes on late, and the queue may have run dry by then. So it first looks whether small jobs
// make room at once, as long as that pays; not past others who wait. Called and left with both locks.
void pool_core::look_for_room(deeds& todo) noexcept {
  if (capacity_ == 0 || closed_ || has_waiter(submitters_) || on_fiber()) return;
  if (looks_to_skip_ > 0) {
    --looks_to_skip_;
    return;
  }
  both_locks locks{*this};
  ++live_;
  // Room for several, lest each job be waited for.
  const std::uint64_t enough = taken_.load(std::memory_order_relaxed) + std::max<std::size_t>(capacity_ / 4, 1);
  locks.unlock();
  const time_point end = clock::now() + longest_look;
  do {
    for (int i = 0; i < 8; ++i) cpu_pause();
  } while (taken_.load(std::memory_order_relaxed) < enough && clock::now() < end);
  locks.lock();
  release_live(todo);
  if (taken_.load(std::memory_order_relaxed) < enough) looks_to_skip_ = waits_without_a_look;
}

channel_status pool_core::wait_for_room(pool_job& job, const context* ctx) noexcept {
  executor* const self = own_job();
  waiter waiting;
  submitter place(waiting, job);
  submitters_.push_back(place);
  submitters_wait_ = true;
  ++waiting_;
  both_locks{*this}.unlock();
  // In this order: the slot that is lent may be the room that is waited for, and belongs to whoever came first.
  if (self != nullptr) lend(*self);
  const wait_site site{"worker_pool::submit", this};
  const waiter::outcome how = ctx == nullptr ? waiting.wait(site) : wait_limit(*ctx).wait(waiting, site);
  if (how == waiter::canceled) {
    const std::lock_guard guard(entry_mu_);
    if (place.linked()) wait_queue::erase(place);
    --waiting_;
    ++rejected_;
  }
  if (self != nullptr) take_back(*self);
  if (how == waiter::done) return channel_status::ok;
  return how == refused ? channel_status::closed : status_of(*ctx);
}

void pool_core::close() noexcept {
  wait_queue woken;
  {
    const std::lock_guard guard(entry_mu_);
    closed_ = true;
    credit_ = 0;
    while (wait_node* node = submitters_.pop_front()) {
      if (!node->owner->claim(refused)) continue;
      --waiting_;
      ++rejected_;
      woken.push_back(*node);
    }
  }
  wake_all(woken);
}

void pool_core::execute() noexcept {
  executor self{this};
  set_fiber_slot(worker_pool_slot, &self);
  while (pool_job* job = next_or_leave(self)) {
    do {
      set_start_site(job->where());
      const job_outcome outcome = job->run(*this);
      pool_job* const next = after_job(self, outcome);
      job->settle();
      job = next;
      spend_budget();
    } while (job != nullptr);
  }
  set_fiber_slot(worker_pool_slot, nullptr);
}

// The job is counted, but the executor stays in live_ until its result has been published: after drain every future is
// ready.
pool_job* pool_core::after_job(executor& self, job_outcome outcome) noexcept {
  deeds todo;
  pool_job* next = nullptr;
  {
    const std::lock_guard guard(slots_mu_);
    --busy_;
    ++ended_[static_cast<std::size_t>(outcome)];
    if (executors_ > workers_ || submitters_wait_ || has_waiter(returning_)) [[unlikely]] {
      const thread_guard entry(entry_mu_);
      if (executors_ > workers_ || has_waiter(returning_)) {
        self.slot = false;
        --executors_;
      }
      serve(todo, patience::some);
    }
    if (self.slot) {
      if (ready_ == nullptr) {
        const thread_guard entry(entry_mu_);
        receive();
      }
      next = take();
    }
  }
  perform(todo);
  return next;
}

pool_job* pool_core::next_or_leave(executor& self) noexcept {
  deeds todo;
  both_locks locks{*this};
  {
    const std::lock_guard guard(locks);
    if (self.slot) {
      if (executors_ <= workers_ && !has_waiter(returning_)) {
        receive();
        if (pool_job* next = take()) return next;
      }
      --executors_;
      serve(todo);
    }
    release_live(todo);
  }
  perform(todo);
  return nullptr;
}

void pool_core::lend(executor& self) noexcept {
  if (self.lent++ > 0) return;
  deeds todo;
  both_locks locks{*this};
  {
    const std::lock_guard guard(locks);
    --executors_;
    --busy_;
    serve(todo);
  }
  perform(todo);
}

void pool_core::take_back(executor& self) noexcept {
  if (--self.lent > 0) return;
  waiter waiting;
  wait_node place(waiting);
  both_locks locks{*this};
  {
    const std::lock_guard guard(locks);
    if (executors_ < workers_) {  // nobody else is returning: I3
      ++executors_;
      ++busy_;
      credit_ = std::min(credit_, room());
      return;
    }
    returning_.push_back(place);
  }
  waiting.wait({"worker_pool slot", this});  // whoever claims us has counted us
}

void* pool_core::before_wait(void* pool) noexcept {
  auto* here = static_cast<executor*>(fiber_slot(worker_pool_slot));
  // The pool of the future may be gone; that of the job that is running here is not.
  if (here == nullptr || here->pool != pool) return nullptr;
  here->pool->lend(*here);
  return here;
}

void pool_core::after_wait(void*, void* token) noexcept {
  auto* here = static_cast<executor*>(token);
  here->pool->take_back(*here);
}

constinit const wait_hook lend_while_waiting{&pool_core::before_wait, &pool_core::after_wait};

}  // namespace spool::detail
