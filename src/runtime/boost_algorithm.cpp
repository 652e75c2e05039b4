#include "boost_algorithm.hpp"

#include "scheduler.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <boost/fiber/context.hpp>

namespace spool::detail {

using boost::fibers::context;
using boost::fibers::type;

namespace {

/// The context forgets its scheduler, and prepare() has to name it again.
void detach(fiber& f) noexcept {
  f.context()->detach();
  f.on = nullptr;
}

}  // namespace

void boost_algorithm::awakened(context* ctx) noexcept {
  worker& w = worker_;
  if (ctx->is_context(type::dispatcher_context)) {
    if (w.dispatcher_ != ctx) w.dispatcher_ = ctx;  // once: others may read it when the worker has started
    return;
  }
  context* active = context::active();
  if (active->is_context(type::worker_context) && active->get_properties() == nullptr) begin_dispatched(active);
  if (ctx->is_context(type::main_context)) return;  // home is resumed by name, never from a queue
  auto* f = static_cast<fiber*>(ctx->get_properties());
  if (w.after_ != worker::after::nothing) {
    if (std::exchange(f->linked_in_boost, false)) detach(*f);
    w.finish_switch();
    return;
  }
  if (f == nullptr) f = &welcome(ctx);
  detach(*f);
  f->linked_in_boost = false;
  f->in_boost.store(false, std::memory_order_relaxed);
  w.push(*f);
}

context* boost_algorithm::pick_next() noexcept {
  worker& w = worker_;
  context* active = context::active();
  if (active == w.home_) return w.dispatcher_;  // the thread ends: Boost's scheduler winds up
  if (active == w.dispatcher_) {
    if (w.dispatcher_may_idle_) {
      w.dispatcher_may_idle_ = false;
      return nullptr;  // Boost answers with suspend_until: that is how we learn its next deadline
    }
    return w.home_;
  }
  return leave_current();
}

fiber& boost_algorithm::welcome(context* ctx) {
  auto* guest = new guest_fiber(worker_.owner, ctx);
  ctx->set_properties(guest);
  return *guest;
}

/// With launch::dispatch a guest takes the thread from the fiber that starts it, which pick_next() is not asked about. It
/// is first heard of when it makes that fiber ready, before anything else.
void boost_algorithm::begin_dispatched(context* ctx) noexcept {
  worker& w = worker_;
  go_on_in_boost(*w.current_);
  fiber& guest = welcome(ctx);
  guest.inside_boost = false;
  guest.on = &w;
  w.current_ = &guest;
  if constexpr (switches_exceptions) *w.exceptions_ = {};
}

/// `self` leaves the thread in Boost's code and comes back in it.
void boost_algorithm::go_on_in_boost(fiber& self) noexcept {
  worker& w = worker_;
  w.boost_in_use_ = true;
  self.inside_boost = true;
  w.link_into_boost(self);  // if it has ended it was, and Boost has taken it out
  self.in_boost.store(true, std::memory_order_relaxed);
  if constexpr (switches_exceptions) self.exceptions = *w.exceptions_;
}

/// The running fiber waits in one of Boost's primitives, yields through Boost, or has ended.
context* boost_algorithm::leave_current() noexcept {
  worker& w = worker_;
  go_on_in_boost(*w.current_);
  runnable* next = w.pick_local();
  if (next != nullptr && next->what == runnable::kind::task) {
    if (w.idle_runners_.empty()) {  // making a runner is home's business
      w.queue.push_next(next);
      next = nullptr;
    } else {
      next = w.runner_for(static_cast<task&>(*next));
    }
  }
  if (next == nullptr) {
    w.current_ = nullptr;
    *w.exceptions_ = {};
    return w.home_;
  }
  fiber& to = static_cast<fiber&>(*next);
  to.inside_boost = false;  // Boost is who resumes it
  w.prepare(to);
  return to.context();
}

bool boost_algorithm::has_ready_fibers() const noexcept {
  return !worker_.queue.empty();
}

void boost_algorithm::suspend_until(const std::chrono::steady_clock::time_point& until) noexcept {
  worker_.boost_deadline.store(until, std::memory_order_seq_cst);
}

void boost_algorithm::notify() noexcept {
  worker_.owner.note_activity();
  worker_.attention_.store(true, std::memory_order_seq_cst);  // pairs with the fence before a sleep
  worker_.wake_thread();
}

}  // namespace spool::detail
