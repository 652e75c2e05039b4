// The switch from fiber to fiber: parking, yielding and waking. Its steps are so short that calling each of them took a
// third of its time: what runs at every switch is flattened into one function, and what is rare is kept out of line.
#include "coarse_clock.hpp"
#include "scheduler.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <boost/fiber/context.hpp>
#include <boost/fiber/scheduler.hpp>

namespace spool::detail {
namespace {

// An explicit instantiation may name a private member; that is the whole trick.
// The thread's scheduler, which a running context must know. attach() would also link it into the thread's list of
// contexts, at each switch; only one that waits in Boost's own code has to be there.
auto& boost_scheduler(boost::fibers::context& ctx);
template <auto Member>
struct open_scheduler {
  friend auto& boost_scheduler(boost::fibers::context& ctx) { return ctx.*Member; }
};
template struct open_scheduler<&boost::fibers::context::scheduler_>;
auto& contexts_of(boost::fibers::scheduler& s);
template <auto Member>
struct open_contexts {
  friend auto& contexts_of(boost::fibers::scheduler& s) { return s.*Member; }
};
template struct open_contexts<&boost::fibers::scheduler::worker_queue_>;

}  // namespace

void worker::prepare(fiber& to) noexcept {
  current_ = &to;
  const bool was_here = std::exchange(to.on, this) == this;
  switches_.store(switches_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if constexpr (switches_exceptions) *exceptions_ = to.exceptions;
  if (to.guest) [[unlikely]] {
    home_->attach(to.context());
  } else if (!was_here) {  // else it is there, in a line of the context that nothing else touches
    boost_scheduler(*to.context()) = boost_scheduler_;
  }
}

void worker::link_into_boost(fiber& f) noexcept {
  if (f.guest || std::exchange(f.linked_in_boost, true)) return;
  f.context()->worker_link(contexts_of(*boost_scheduler_));
}

void worker::unlink_all_from_boost() noexcept { contexts_of(*boost_scheduler_).clear(); }

void worker::resume(fiber& to) noexcept {
  if (to.inside_boost) [[unlikely]] {
    resume_inside_boost(to);
  } else {
    to.context()->resume();
  }
}

void worker::resume_inside_boost(fiber& to) noexcept {
  to.inside_boost = false;
  if (after_ == after::nothing) {
    to.context()->resume();
  } else {
    link_into_boost(*left_);  // awakened() takes it out again
    to.context()->resume(left_->context());
  }
}

void worker::switch_to(fiber& to, after what) noexcept {
  fiber& from = *current_;
  left_ = &from;
  after_ = what;
  if constexpr (switches_exceptions) from.exceptions = *exceptions_;
  prepare(to);
  resume(to);
  from.on->arrive();
}

void worker::switch_home(after what) noexcept {
  fiber& from = *current_;
  left_ = &from;
  after_ = what;
  if constexpr (switches_exceptions) from.exceptions = *exceptions_;
  current_ = nullptr;
  if constexpr (switches_exceptions) *exceptions_ = {};
  home_->resume();
  from.on->arrive();
}

void worker::finish_switch() noexcept {
  fiber& left = *left_;
  const after what = std::exchange(after_, after::nothing);
  if (left.guest && what != after::exit) [[unlikely]] left.context()->detach();
  if (what == after::unlock) {
    left.state_.store(fiber::parked, std::memory_order_relaxed);
    held_->unlock();
  } else if (what == after::publish) {
    if (left.state_.exchange(fiber::parked, std::memory_order_acq_rel) == fiber::notified) push_next(left);
  } else if (what == after::requeue) {
    push(left);
  } else if (what == after::retire) {
    const bool many_idle = idle_runners_.put(left);
    if (many_idle && owner.stacks_in_use() <= owner.many_stacks()) queue.take_newest_first(false);
  } else if (what == after::move) {
    destination_->receive(left);
  } else {
    hand_thread_over(left);
  }
}

fiber* worker::runner_for(task& t) noexcept {
  fiber* runner = idle_runners_.get();
  if (runner == nullptr) {
    const stack_memory stack = new_stacks_.take();
    if (!stack) {
      owner.starve(t);
      return nullptr;
    }
    runner = fiber::make_runner(owner, stack);
    queue.take_newest_first(owner.stacks_in_use() > owner.many_stacks());
  }
  runner->job = &t;
  return runner;
}

runnable* worker::pick_local() noexcept {
  if (--picks_left_ == 0 || attention_.load(std::memory_order_relaxed)) [[unlikely]] {
    picks_left_ = 1;  // every further pick goes home too, until home has polled
    return nullptr;
  }
  if (pinned_.first != nullptr) [[unlikely]] return pick_pinned();
  return queue.pop();
}

runnable* worker::pick_pinned() noexcept {
  pinned_turn_ = !pinned_turn_;
  runnable* r = pinned_turn_ ? nullptr : queue.pop();  // only the pop can tell whether there is one: there are thieves
  return r != nullptr ? r : pinned_.pop_front();
}

void worker::leave_for(runnable* next, after what) noexcept {
  if (next != nullptr && next->what == runnable::kind::task) next = runner_for(static_cast<task&>(*next));
  if (next != nullptr) {
    switch_to(static_cast<fiber&>(*next), what);
  } else {
    switch_home(what);
  }
}

void worker::park() noexcept {
  leave_for(pick_local(), after::publish);
}

// The lock is kept until the fiber is off its stack, so that nobody can wake it earlier and its state needs no exchange.
// That takes tens of nanoseconds when another fiber goes on; otherwise it may take long, and the lock is released first.
void worker::park(biased_lock& held) noexcept {
  runnable* next = pick_local();
  if (next != nullptr && next->what == runnable::kind::fiber) [[likely]] {
    held_ = &held;
    switch_to(static_cast<fiber&>(*next), after::unlock);
  } else {
    held.unlock();
    leave_for(next, after::publish);
  }
}

[[gnu::flatten]] void worker::yield() noexcept {
  runnable* next = pick_local();
  if (next == nullptr && picks_left_ > 1) return;  // nobody else wants to run
  leave_for(next, after::requeue);
}

void worker::retire(fiber* next) noexcept {
  leave_for(next, after::retire);
}

void worker::push(runnable& r) noexcept {
  if (r.what == runnable::kind::fiber) {
    auto& f = static_cast<fiber&>(r);
    if (f.pinned_to != nullptr) [[unlikely]] return f.pinned_to->push_pinned(f);
  }
  queue.push(&r);
  owner.idle().notice_local_push();
}

void worker::push_at_home(runnable& r) noexcept {
  if (serving_reactor_ && static_cast<fiber&>(r).pinned_to == nullptr) {
    queue.push(&r);  // whether another worker is to be woken is decided once all is served
  } else {
    push(r);
  }
}

void worker::push_next(fiber& f) noexcept {
  if (f.pinned_to != nullptr) [[unlikely]] return f.pinned_to->push_pinned(f);
  queue.push_next(&f);
  owner.idle().notice_local_push();
}

void worker::push_pinned(fiber& f) noexcept {
  if (current_worker() == this) {
    pinned_.push_back(&f);
    return;
  }
  runnable* head = pinned_inbox_.load(std::memory_order_relaxed);
  do {
    f.next = head;
  } while (!pinned_inbox_.compare_exchange_weak(head, &f, std::memory_order_release, std::memory_order_relaxed));
  attention_.store(true, std::memory_order_seq_cst);
  wake_thread();
}

void fiber::begin_wait(waiter& w, wait_site site) noexcept {
  wait_object.store(site.object, std::memory_order_relaxed);
  wait_what.store(site.what, std::memory_order_relaxed);
  wait_since.store(coarse_clock::now(), std::memory_order_relaxed);
  waiting.store(&w, std::memory_order_relaxed);
}

void fiber::end_wait() noexcept {
  waiting.store(nullptr, std::memory_order_relaxed);
  state_.store(running, std::memory_order_relaxed);
}

[[gnu::flatten]] void fiber::park(waiter& w, wait_site site) noexcept {
  begin_wait(w, site);
  if (state_.load(std::memory_order_acquire) != notified) on->park();
  end_wait();
}

[[gnu::flatten]] void park(fiber& f, waiter& w, biased_lock& held, wait_site site) noexcept {
  f.begin_wait(w, site);
  f.on->park(held);
  f.end_wait();
}

[[gnu::flatten]] void unpark(fiber& f, fiber* waker) noexcept {
  // Published already, as a rule; then nobody else acts on it, since one wait is woken once. It is this wait's `parked`:
  // who wakes it has seen it registered, after the wait before had ended.
  if (f.state_.load(std::memory_order_acquire) != fiber::parked &&
      f.state_.exchange(fiber::notified, std::memory_order_acq_rel) != fiber::parked) {
    return;
  }
  if (waker != nullptr && &waker->owner == &f.owner) {
    waker->on->push_next(f);  // it is likely to use what its waker has just touched
  } else {
    f.owner.make_ready(f);
  }
}

}  // namespace spool::detail
