// How a pool begins and ends, and what it tells about itself.
#include "pool_core.hpp"

#include <spool/sync/detail/claim.hpp>

#include "base/log.hpp"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace spool::detail {
namespace {

constexpr std::size_t most_workers = std::size_t{1} << 20;

std::size_t checked_workers(const scheduler& s, std::size_t asked) {
  if (asked > most_workers) {
    throw std::invalid_argument("spool::worker_pool: " + std::to_string(asked) + " workers; at most " +
                                std::to_string(most_workers) + " are possible, 0 means one per thread of the runtime");
  }
  return asked != 0 ? asked : worker_count(s);
}

// More than half the range is a negative number on its way through std::size_t.
std::size_t checked_capacity(std::size_t asked) {
  if (asked > static_cast<std::size_t>(PTRDIFF_MAX)) {
    throw std::invalid_argument(
        "spool::worker_pool: queue_capacity is negative or absurd; for a queue without a bound "
        "give std::numeric_limits<std::ptrdiff_t>::max()");
  }
  return asked;
}

}  // namespace

void job_host::report_exception(std::exception_ptr thrown) const noexcept {
  try {
    const error what(std::move(thrown));
    if (on_error) return on_error(what);
    log()->error("spool: worker pool '{}': a posted job ended with an exception: {}", name, what.message());
  } catch (...) {
    report_broken_handler(name);
  }
}

void job_host::report_unrun(const error& why) const noexcept {
  try {
    if (on_error) on_error(why);
  } catch (...) {
    report_broken_handler(name);
  }
}

void job_host::report_broken_handler(const std::string& pool) noexcept {
  try {
    log()->error("spool: worker pool '{}': on_error ended with an exception, which is dropped", pool);
  } catch (...) {  // no memory for the message either
  }
}

context join_contexts(const context& given, const context& pool) {
  cancel_node* const node = context_access::node(given);
  if (node != nullptr) return from_stop_token(given, pool.stop_token());
  return context_access::make(cancel_node_ptr(context_access::node(pool)), context_access::values(given));
}

pool_core::pool_core(scheduler& s, worker_pool_options options, start_site where)
    : scheduler_(s),
      where_(where),
      capacity_(checked_capacity(options.queue_capacity)),
      scope_(with_cancel(context::background())),
      workers_(checked_workers(s, options.workers)) {
  pool_context = scope_.ctx();
  on_error = std::move(options.on_error);
  name = std::move(options.name);
}

pool_core::~pool_core() {
  if (own_job() != nullptr) {
    log()->critical(
        "spool: worker pool '{}' is destroyed by one of its own jobs, which would wait for itself for ever", name);
    std::terminate();
  }
  close();
  static_cast<void>(wait_until_idle({}));
  cancel_timer(wake_timer_);
}

void pool_core::require_not_own_job(const char* operation) const {
  if (own_job() == nullptr) return;
  throw std::logic_error(
      std::string("spool::worker_pool::") + operation +
      " from one of the pool's own jobs would wait for that job for ever; call it from another fiber");
}

error pool_core::drain(const context& limit) {
  require_not_own_job("drain");
  return wait_until_idle(limit);
}

error pool_core::wait_until_idle(wait_limit limit) noexcept {
  if (limit.canceled()) return limit.to_error(waiter::canceled);
  waiter waiting;
  wait_node place(waiting);
  {
    both_locks locks{*this};
    const std::lock_guard guard(locks);
    if (idle()) return {};
    draining_.push_back(place);
  }
  const waiter::outcome how = limit.wait(waiting, {"worker_pool::drain", this}, waiter::needs::unknown);
  if (how != waiter::done) withdraw(slots_mu_, place);
  return limit.to_error(how);
}

shutdown_report pool_core::shutdown(const context& deadline) {
  require_not_own_job("shutdown");
  close();
  if (wait_until_idle(deadline)) {
    abandon_queued();
    static_cast<void>(wait_until_idle({}));
  }
  scope_.cancel();  // also for fibers that jobs have started and left behind
  const std::lock_guard guard(slots_mu_);
  return {ended_[0], ended_[1], ended_[2], abandoned_};
}

void pool_core::abandon_queued() noexcept {
  pool_job* chains[2];
  both_locks locks{*this};
  {
    const std::lock_guard guard(locks);
    chains[0] = std::exchange(ready_, nullptr);
    chains[1] = std::exchange(arrivals_, nullptr);
    abandoned_ += queued();
    taken_.store(accepted_, std::memory_order_relaxed);
    ++live_;  // another drain must not end before the futures below are ready
  }
  scope_.cancel();  // before the loop: on_error may take its time
  for (pool_job* job : chains) {
    while (job != nullptr) std::exchange(job, job->next)->drop(*this, errc::abandoned);
  }
  deeds todo;
  {
    const std::lock_guard guard(locks);
    release_live(todo);
  }
  perform(todo);
}

void pool_core::resize(std::size_t workers) {
  const std::size_t wanted = checked_workers(scheduler_, workers);
  deeds todo;
  both_locks locks{*this};
  {
    const std::lock_guard guard(locks);
    workers_ = wanted;
    serve(todo);
  }
  perform(todo);
}

bool pool_core::saturated() const noexcept {
  both_locks locks{*this};
  const std::lock_guard guard(locks);
  return room() == 0;
}

worker_pool_stats pool_core::stats() const noexcept {
  both_locks locks{*this};
  const std::lock_guard guard(locks);
  // A free worker and a queued job are about to meet: to who looks from outside the job is no longer in the queue.
  const auto in_queue = static_cast<std::size_t>(queued());
  const std::size_t about_to_start = std::min(in_queue, free_slots());
  return {.workers = workers_,
          .busy = busy_ + about_to_start,
          .queued = in_queue - about_to_start,
          .accepted = accepted_,
          .completed = ended_[0],
          .failed = ended_[1],
          .expired = ended_[2],
          .abandoned = abandoned_,
          .rejected = rejected_,
          .waiting = waiting_};
}

}  // namespace spool::detail

namespace spool {

worker_pool::worker_pool(worker_pool_options options, detail::start_site where)
    : core_(new detail::pool_core(detail::require_scheduler("spool::worker_pool"), std::move(options), where)) {}
worker_pool::worker_pool(runtime& rt, worker_pool_options options, detail::start_site where)
    : core_(new detail::pool_core(core_of(rt), std::move(options), where)) {}
worker_pool::~worker_pool() = default;
void worker_pool::delete_core::operator()(detail::pool_core* core) const noexcept { delete core; }

channel_status worker_pool::enqueue(detail::pool_job& job, const context* ctx, bool may_wait) {
  return core_->enqueue(job, ctx, may_wait);
}
channel_status worker_pool::admission(const context* ctx, bool may_wait) { return core_->admission(ctx, may_wait); }
void worker_pool::resize(std::size_t workers) { core_->resize(workers); }
void worker_pool::close() { core_->close(); }
error worker_pool::drain(const context& ctx) { return core_->drain(ctx); }
shutdown_report worker_pool::shutdown(const context& deadline) { return core_->shutdown(deadline); }
bool worker_pool::saturated() const { return core_->saturated(); }
worker_pool_stats worker_pool::stats() const {
  detail::spend_budget();  // who asks in a loop waits for what others change
  return core_->stats();
}

}  // namespace spool
