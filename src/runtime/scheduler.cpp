#include "scheduler.hpp"

#include "coarse_clock.hpp"
#include "overflow.hpp"
#include "seeded.hpp"
#include "thread_state.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace spool::detail {

scheduler::scheduler(runtime_options options, runtime& handle, std::unique_ptr<seeded> driver)
    : options_(std::move(options)),
      handle_(handle),
      driver_(std::move(driver)),
      stacks_(stack_depot::of_size(options_.stack_bytes)),
      helpers_(options_.blocking_threads, options_.name),
      monitor_(*this) {
  coarse_clock::set(clock::now());
  install_overflow_handler();
  try {
    workers_.reserve(options_.threads);
    for (unsigned i = 0; i < options_.threads; ++i) workers_.push_back(std::make_unique<worker>(*this, i));
    if (driver_ != nullptr) idle_.tell_of_pushes(*workers_.front());
    scheduler_registry::add(*this);
    for (auto& w : workers_) w->start();
    for (auto& w : workers_) w->await_start();
    if (driver_ == nullptr) monitor_.start();  // a seeded runtime knows by itself when nothing moves
  } catch (...) {
    scheduler_registry::remove(*this);
    stop_threads();
    throw;
  }
}

scheduler::~scheduler() {
  scheduler_registry::remove(*this);
  stop_threads();
  drop_attachments();
}

void scheduler::stop_threads() noexcept {
  monitor_.stop();
  exiting_.store(true, std::memory_order_seq_cst);
  idle_.wake_all();
  for (auto& w : workers_) w->wake_thread();
  for (auto& w : workers_) w->join();
  // A plain thread that made a fiber ready may still be on its way out of inject().
  while (injectors_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  for (auto& w : workers_) release_timers(w->timers);
}

void scheduler::spawn_task(task& t) noexcept {
  worker* w = current_worker();
  if (w != nullptr && &w->owner == this) {
    w->count_spawned();
    w->push(t);
    return;
  }
  spawned_outside_.fetch_add(1, std::memory_order_acq_rel);
  inject(t);
}

void scheduler::make_ready(fiber& f) noexcept {
  worker* w = current_worker();
  if (f.pinned_to != nullptr) [[unlikely]] {
    injectors_.fetch_add(1, std::memory_order_acq_rel);
    note_activity();
    f.pinned_to->push_pinned(f);
    injectors_.fetch_sub(1, std::memory_order_release);
    return;
  }
  if (w == nullptr || &w->owner != this) {
    inject(f);
  } else if (w->current() != nullptr) {
    w->push_next(f);
  } else {
    w->push_at_home(f);
  }
}

void scheduler::inject(runnable& r) noexcept {
  injectors_.fetch_add(1, std::memory_order_acq_rel);
  note_activity();
  runnable* head = inbox_.load(std::memory_order_relaxed);
  do {
    r.next = head;
  } while (!inbox_.compare_exchange_weak(head, &r, std::memory_order_seq_cst, std::memory_order_relaxed));
  idle_.notice_outside_push();
  injectors_.fetch_sub(1, std::memory_order_release);
}

runnable_chain scheduler::take_inbox() noexcept {
  return in_order(inbox_.exchange(nullptr, std::memory_order_acquire));
}

void scheduler::starve(task& t) noexcept {
  {
    const std::lock_guard lock(starved_lock_);
    starved_.push_back(&t);
    starving_.store(true, std::memory_order_seq_cst);
  }
  idle_.notice_outside_push();
}

runnable_chain scheduler::take_starved() noexcept {
  const std::lock_guard lock(starved_lock_);
  starving_.store(false, std::memory_order_seq_cst);
  return std::exchange(starved_, {});
}

std::size_t scheduler::live() const noexcept {
  std::uint64_t finished = abandoned_.load(std::memory_order_acquire);
  for (const auto& w : workers_) finished += w->finished_.load(std::memory_order_acquire);
  std::uint64_t spawned = spawned_outside_.load(std::memory_order_acquire);
  for (const auto& w : workers_) spawned += w->spawned_.load(std::memory_order_acquire);
  return static_cast<std::size_t>(spawned - finished) + static_cast<std::size_t>(std::max(guests_.load(), 0));
}

bool scheduler::at_rest() const noexcept {
  return idle_.sleeping() == workers_.size() && inbox_empty() && !starving() &&
         std::all_of(workers_.begin(), workers_.end(), [](const auto& w) {
           // Called, but without a CPU so far, a worker still counts as asleep.
           return w->queue.empty() && !w->attention_.load(std::memory_order_seq_cst);
         });
}

void scheduler::begin_run() {
  const std::lock_guard lock(drain_mutex_);
  if (runs_++ != 0) return;
  // A root context that is not cancelled; between two runs it stays so.
  const std::lock_guard attachment_lock(attachment_mutex_);
  if (!std::exchange(attachment_ended_, false)) return;
  if (retired_.release != nullptr) retired_.release(retired_.object);
  retired_ = std::exchange(attachment_, {});
}

void scheduler::begin_stop() noexcept {
  attachment ending;
  {
    const std::lock_guard lock(attachment_mutex_);
    stopping_.store(true, std::memory_order_seq_cst);
    attachment_ended_ = true;
    ending = attachment_;
  }
  if (ending.end != nullptr) ending.end(ending.object);  // no lock: it calls back, and what it calls may attach
  heavy_fence();  // pairs with the one in worker::sleep(): finished, then stopping there; stopping, then live here
  monitor_.wake();
}

void scheduler::wait_until_drained() noexcept {
  waiter caller;
  wait_node node(caller);
  {
    const std::lock_guard lock(drain_mutex_);
    if (live() == 0) return;
    drain_waiters_.push_back(node);
  }
  caller.wait({"end of run", this});
}

void scheduler::check_drained() noexcept {
  if (!stopping() || live() != 0) return;
  wait_queue woken;
  {
    const std::lock_guard lock(drain_mutex_);
    // Once more: since the first look that run may have ended, and those who wait here may be of the next.
    if (!stopping() || live() != 0) return;
    while (wait_node* node = drain_waiters_.pop_front()) {
      if (node->try_claim()) woken.push_back(*node);
    }
  }
  while (wait_node* node = woken.pop_front()) node->owner->wake();
}

void scheduler::finish_stop() noexcept {
  const std::lock_guard lock(drain_mutex_);
  if (--runs_ != 0) return;
  stopping_.store(false, std::memory_order_seq_cst);
}

void scheduler::give_up(std::size_t fibers) noexcept {
  abandoned_.fetch_add(fibers, std::memory_order_acq_rel);
  check_drained();
}

void* scheduler::attach(attachment (*make)()) {
  const std::lock_guard lock(attachment_mutex_);
  if (attachment_.object == nullptr) {
    attachment_ = make();
    if (attachment_ended_ && attachment_.end != nullptr) attachment_.end(attachment_.object);
  }
  return attachment_.object;
}

reactor& scheduler::attach_reactor(std::unique_ptr<reactor> (*make)()) {
  if (driver_ != nullptr) {
    throw std::logic_error(
        "spool::io_context: in a bubble there is no I/O: its outcome does not come from the seed, nor its time from the "
        "bubble's clock. Test against an interface that a channel can implement");
  }
  {
    const std::lock_guard lock(attachment_mutex_);
    if (reactor_owner_ != nullptr) return *reactor_owner_;
    reactor_owner_ = make();
    reactor_.store(reactor_owner_.get(), std::memory_order_seq_cst);
  }
  heavy_fence();     // pairs with the one in worker::sleep(): who fell asleep without a reactor is in the set by now
  idle_.wake_one();  // and finds its way into it
  return *reactor_owner_;
}

void scheduler::drop_attachments() noexcept {
  const std::lock_guard lock(attachment_mutex_);
  for (attachment* a : {&retired_, &attachment_}) {
    const attachment dropped = std::exchange(*a, {});
    if (dropped.release != nullptr) dropped.release(dropped.object);
  }
}

std::mutex& scheduler_registry::mutex() {
  static auto* m = new std::mutex;  // outlives every static runtime
  return *m;
}

std::vector<scheduler*>& scheduler_registry::list() {
  static auto* l = new std::vector<scheduler*>;
  return *l;
}

void scheduler_registry::add(scheduler& s) {
  const std::lock_guard lock(mutex());
  list().push_back(&s);
}

void scheduler_registry::remove(scheduler& s) noexcept {
  const std::lock_guard lock(mutex());
  std::erase(list(), &s);
}

}  // namespace spool::detail
