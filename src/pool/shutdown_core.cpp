#include "shutdown_core.hpp"

#include <spool/runtime/detail/task.hpp>
#include <spool/runtime/this_fiber.hpp>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace spool::detail {
namespace {

shutdown_options checked(shutdown_options options) {
  using std::chrono::milliseconds;
  for (const milliseconds d : {options.drain_for, options.cancel_for, options.ignore_repeats_for}) {
    if (d < milliseconds::zero()) {
      throw std::invalid_argument(
          "spool::shutdown_sequence: a negative time; 0 means not at all, milliseconds::max() for as long as it takes");
    }
  }
  return options;
}

}  // namespace

shutdown_core::shutdown_core(scheduler& s, const context& parent, shutdown_options options)
    : scheduler_(s),
      options_(checked(std::move(options))),
      stopping_(with_cancel(parent)),
      forced_(with_cancel(context::background())),
      work_(with_cancel(without_cancel(parent))) {}

void shutdown_core::watch_signals() {
  if (!options_.signals.empty()) signal_watch::instance().add(*this, options_.signals);
}

void shutdown_core::end() noexcept {
  stopping_.cancel();
  work_.cancel();
  for (const auto& steps : steps_) {
    for (const auto& s : steps) {
      if (s->begun) s->running.wait();
      // Here, not with the last reference to the core, which a step's fiber may hold for a moment longer: a function
      // may refer to what is destroyed after the sequence.
      s->function = nullptr;
    }
  }
  // Last: a signal must still be able to end a process that hangs above.
  if (!options_.signals.empty()) signal_watch::instance().remove(*this);
}

void shutdown_core::force(const error& cause) const {
  // In this order: who sees that it was forced sees that it has begun.
  stopping_.cancel(cause);
  forced_.cancel(cause);
}

// Signals: on the thread of the watch.

bool shutdown_core::acquire() noexcept {
  kept_ = weak_from_this().lock();
  return kept_ != nullptr;
}

void shutdown_core::signal_came(int signal) noexcept {
  const std::shared_ptr<shutdown_core> self = std::move(kept_);
  const clock::time_point now = clock::now();
  if (signal == last_signal_ && now - last_at_ < options_.ignore_repeats_for) return;
  last_signal_ = signal;
  last_at_ = now;
  ++signals_;
  if (signals_ > 2 || over_.load()) {
    signal_watch::instance().remove(*this);  // its former handling is back, and shall see it
    ::kill(::getpid(), signal);
  } else if (signals_ == 2) {
    force(signal_error(signal));
  } else {
    request(signal_error(signal));
  }
}

// Registration.

void shutdown_core::require_open() const {
  if (!waiting_.load()) return;
  throw std::logic_error("spool::shutdown_sequence: register every step before wait is called, or it might never run");
}

void shutdown_core::add_step(shutdown_phase phase, std::string name, step_function f, start_site where) {
  require_open();
  steps_of(phase).push_back(std::make_unique<step>(std::move(name), std::move(f), where));
}

void shutdown_core::add_pool(std::string name, worker_pool& pool, start_site where) {
  // Closed as late as this: what is drained before it may still hand it jobs.
  const auto drain = [&pool](const context& deadline) {
    pool.close();
    return pool.drain(deadline);
  };
  const auto cancel = [&pool] {
    const cancel_scope at_once = with_timeout(context::background(), std::chrono::seconds(0));
    static_cast<void>(pool.shutdown(at_once.ctx()));
  };
  add_step(shutdown_phase::drain, name, make_step(drain), where);
  add_step(shutdown_phase::cancel, name, make_step(cancel), where);
  pools_.push_back({std::move(name), &pool});
}

// Steps.

void shutdown_core::begin(step& s, const context& ctx) {
  s.begun = true;
  s.start = clock::now();
  s.running.add();
  try {
    spawn(scheduler_, [self = shared_from_this(), &s, ctx] { self->perform(s, ctx); }, s.where);
  } catch (const std::bad_alloc&) {
    conclude(s, std::make_error_code(std::errc::not_enough_memory));
  }
}

void shutdown_core::perform(step& s, const context& ctx) noexcept {
  this_fiber::set_name(s.name);
  conclude(s, s.function(ctx));
}

void shutdown_core::conclude(step& s, error outcome) noexcept {
  {
    const std::lock_guard lock(mu_);
    s.took = clock::now() - s.start;
    s.outcome = std::move(outcome);
    s.ended = true;
  }
  s.running.done();
}

bool shutdown_core::wait_for(step& s, const context& limit) {
  static_cast<void>(s.running.wait(limit));
  const std::lock_guard lock(mu_);
  s.given_up = !s.ended;
  return s.ended;
}

/// False: something did not drain.
bool shutdown_core::stop_and_drain(const context& limit) {
  bool drained = true;
  for (const auto& s : steps_of(shutdown_phase::stop)) {
    begin(*s, limit);  // whatever the time: a listener must not stay open because something before it hangs
    drained = wait_for(*s, limit) && drained;
  }
  for (const auto& s : steps_of(shutdown_phase::drain)) {
    if (limit.done()) return false;
    begin(*s, limit);
    drained = wait_for(*s, limit) && !s->outcome && drained;
  }
  return drained;
}

bool shutdown_core::needs_cancel(const step& cancel) {
  const std::lock_guard lock(mu_);
  bool has_drain = false;
  for (const auto& s : steps_of(shutdown_phase::drain)) {
    if (s->name != cancel.name) continue;
    has_drain = true;
    if (!s->ended || s->given_up || s->outcome) return true;
  }
  return !has_drain;
}

void shutdown_core::cancel_rest(const context& limit) {
  for (const auto& s : steps_of(shutdown_phase::cancel)) {
    s->needed = needs_cancel(*s);
    if (s->needed) begin(*s, limit);
  }
  for (const auto& steps : steps_) {
    for (const auto& s : steps) {
      if (s->begun) static_cast<void>(s->running.wait(limit));
    }
  }
}

// The sequence.

shutdown_summary shutdown_core::wait() {
  if (waiting_.exchange(true)) {
    throw std::logic_error("spool::shutdown_sequence::wait was called before; keep the summary that it returned");
  }
  stopping().wait();
  const clock::time_point start = clock::now();
  shutdown_summary summary;
  summary.cause = stopping().cause();
  {
    const cancel_scope limit = with_timeout(forced_.ctx(), options_.drain_for);
    summary.drained = stop_and_drain(limit.ctx());
    if (summary.drained) {
      work_.cancel();
    } else {
      work_.cancel(limit.ctx().cause());
      // A signal that has ended the drain phase does not end this one, too.
      const cancel_scope rest =
          with_timeout(forced_.ctx().done() ? context::background() : forced_.ctx(), options_.cancel_for);
      cancel_rest(rest.ctx());
    }
  }
  over_.store(true);
  summary.forced = forced_.ctx().done();
  summary.took = clock::now() - start;
  summarize(summary);
  return summary;
}

shutdown_step shutdown_core::describe(step& s, shutdown_phase phase) {
  const std::lock_guard lock(mu_);
  shutdown_step told{s.name, phase, shutdown_outcome::done, s.took, s.outcome};
  if (!s.needed) {
    told.outcome = shutdown_outcome::not_needed;
  } else if (!s.begun) {
    told.outcome = phase == shutdown_phase::cancel ? shutdown_outcome::not_needed : shutdown_outcome::skipped;
  } else if (!s.ended) {
    told.outcome = shutdown_outcome::running;
    told.took = clock::now() - s.start;
  } else if (s.outcome) {
    told.outcome = shutdown_outcome::failed;
  } else if (s.given_up) {
    told.outcome = shutdown_outcome::late;
  }
  return told;
}

void shutdown_core::summarize(shutdown_summary& into) {
  for (const auto phase : {shutdown_phase::stop, shutdown_phase::drain, shutdown_phase::cancel}) {
    for (const auto& s : steps_of(phase)) into.steps.push_back(describe(*s, phase));
  }
  for (const named_pool& p : pools_) {
    const worker_pool_stats stats = p.pool->stats();
    into.pools.push_back({p.name, stats.accepted, stats.completed, stats.failed, stats.expired, stats.abandoned,
                          stats.accepted - stats.completed - stats.failed - stats.expired - stats.abandoned});
  }
}

}  // namespace spool::detail

namespace spool {
namespace {

std::shared_ptr<detail::shutdown_core> make_core(detail::scheduler& s, const context& parent,
                                                 shutdown_options options) {
  auto core = std::make_shared<detail::shutdown_core>(s, parent, std::move(options));
  core->watch_signals();
  return core;
}

}  // namespace

shutdown_sequence::shutdown_sequence(shutdown_options options) {
  detail::scheduler& s = detail::require_scheduler("spool::shutdown_sequence");
  core_ = make_core(s, runtime::current()->root(), std::move(options));
}
shutdown_sequence::shutdown_sequence(const context& parent, shutdown_options options)
    : core_(make_core(detail::require_scheduler("spool::shutdown_sequence"), parent, std::move(options))) {}
shutdown_sequence::shutdown_sequence(runtime& rt, shutdown_options options)
    : core_(make_core(core_of(rt), rt.root(), std::move(options))) {}
shutdown_sequence::~shutdown_sequence() { core_->end(); }

void shutdown_sequence::add_step(shutdown_phase phase, std::string name, detail::step_function f,
                                 detail::start_site where) {
  core_->add_step(phase, std::move(name), std::move(f), where);
}
void shutdown_sequence::add(std::string name, worker_pool& pool, detail::start_site where) {
  core_->add_pool(std::move(name), pool, where);
}
const context& shutdown_sequence::stopping() const noexcept { return core_->stopping(); }
const context& shutdown_sequence::ctx() const noexcept { return core_->work(); }
void shutdown_sequence::request(error cause) const { core_->request(std::move(cause)); }
void shutdown_sequence::force(error cause) const { core_->force(cause); }
shutdown_summary shutdown_sequence::wait() { return core_->wait(); }

}  // namespace spool
