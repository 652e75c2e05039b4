// worker_pool: a bounded number of jobs at a time, a bounded queue before them, backpressure beyond.
#pragma once

#include <spool/base/error.hpp>
#include <spool/context/context.hpp>
#include <spool/pool/detail/pool_job.hpp>
#include <spool/runtime/runtime.hpp>
#include <spool/sync/future.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace spool {

struct worker_pool_options {
  std::string name = "pool";         ///< in logs
  std::size_t workers = 0;           ///< jobs that execute at a time; 0: as many as the runtime has threads
  std::size_t queue_capacity = 100;  ///< jobs that wait for a worker; 0: a job is taken only when a worker is free
  /// Gets the exception of a posted job, or why a posted job did not run. It is called as part of the job and may wait.
  /// Empty: exceptions are logged.
  std::function<void(error)> on_error = {};
};

/// A snapshot. accepted == completed + failed + expired + abandoned + queued + busy + those that lent their slot.
struct worker_pool_stats {
  std::size_t workers = 0;      ///< most jobs that may execute at a time
  std::size_t busy = 0;         ///< jobs that execute, or are about to on a free worker
  std::size_t queued = 0;       ///< jobs that wait for a worker
  std::uint64_t accepted = 0;   ///< jobs taken since the beginning
  std::uint64_t completed = 0;  ///< ended without an exception
  std::uint64_t failed = 0;     ///< ended with one
  std::uint64_t expired = 0;    ///< not run: their context was done first
  std::uint64_t abandoned = 0;  ///< not run: shutdown gave them up
  std::uint64_t rejected = 0;   ///< refused: full, closed, or the context was done
  std::size_t waiting = 0;      ///< submitters that wait for room
};

/// Of all jobs that the pool ever accepted; the sum is their number.
struct shutdown_report {
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t expired = 0;
  std::uint64_t abandoned = 0;
};

/// Runs jobs on fibers of a runtime, at most `workers` at a time, in the order in which they were accepted. A job is
/// any callable without arguments or with a `const context&`. Thread safe: jobs may come from fibers, plain threads and
/// jobs. An idle pool holds no fiber. Go: a channel of functions and a fixed number of goroutines that receive from it.
///
///   worker_pool pool({.workers = 4, .queue_capacity = 100});
///   future<digest> d = pool.submit([path] { return hash(path); });   // waits while the queue is full
///   (void)pool.post([] { refresh_cache(); });                         // nobody waits for it
///   use(d.get());
///
/// Waiting for room is first come, first served; nobody who comes later passes those who wait. A job that waits for
/// room in its own pool, or on the future of a job of its own pool, lends its slot meanwhile, so a pool never deadlocks
/// on itself. A refused job is not moved from, unless its move may throw. What a job captured is destroyed before its
/// future is ready.
class worker_pool {
 public:
  /// On the calling fiber's runtime. On a plain thread: std::logic_error. Bad options: std::invalid_argument.
  explicit worker_pool(worker_pool_options options = {}, detail::start_site where = detail::start_site::current());
  explicit worker_pool(runtime& rt, worker_pool_options options = {},
                       detail::start_site where = detail::start_site::current());
  /// Closes and drains; waits as long as that takes. The runtime must still be alive. Not by one of its own jobs.
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Queues f and returns its future; waits for room. A closed pool: the future holds errc::closed.
  /// Dropping the future neither waits nor cancels; an exception that nobody took is logged.
  template <detail::PoolJob F>
  future<detail::job_result_t<F>> submit(F&& f, detail::start_site where = detail::start_site::current()) {
    if constexpr (asks_first<false, F>) {
      if (channel_status s = admission(nullptr, true); s != channel_status::ok) return refused_future<F>(s);
    }
    auto* job = make_submitted<false>(std::forward<F>(f), nullptr, where);
    auto handed_out = future_of(*job);
    if (channel_status s = enqueue(*job, nullptr, true); s != channel_status::ok) refuse<F>(*job, f, s);
    return handed_out;
  }

  /// As above; ends with the context's error when ctx is done before there is room, with errc::closed when the pool is
  /// closed. An accepted job whose context is done before it starts does not run: its future holds the context's error.
  template <detail::PoolJob F>
  result<future<detail::job_result_t<F>>> submit(const context& ctx, F&& f,
                                                 detail::start_site where = detail::start_site::current()) {
    return submit_with<true>(std::forward<F>(f), &ctx, true, where);
  }

  /// As submit, but never waits: errc::full when there is no room or others wait for it, errc::closed.
  template <detail::PoolJob F>
  result<future<detail::job_result_t<F>>> try_submit(F&& f, detail::start_site where = detail::start_site::current()) {
    return submit_with<false>(std::forward<F>(f), nullptr, false, where);
  }
  template <detail::PoolJob F>
  result<future<detail::job_result_t<F>>> try_submit(const context& ctx, F&& f,
                                                     detail::start_site where = detail::start_site::current()) {
    return submit_with<true>(std::forward<F>(f), &ctx, false, where);
  }

  /// Queues f, whose result nobody needs; waits for room. ok or closed. An exception goes to on_error.
  template <detail::PoolJob F>
  channel_status post(F&& f, detail::start_site where = detail::start_site::current()) {
    return post_with<false>(std::forward<F>(f), nullptr, true, where);
  }
  /// ok, closed, canceled or timeout.
  template <detail::PoolJob F>
  channel_status post(const context& ctx, F&& f, detail::start_site where = detail::start_site::current()) {
    return post_with<true>(std::forward<F>(f), &ctx, true, where);
  }
  /// Never waits: ok, full or closed.
  template <detail::PoolJob F>
  channel_status try_post(F&& f, detail::start_site where = detail::start_site::current()) {
    return post_with<false>(std::forward<F>(f), nullptr, false, where);
  }
  template <detail::PoolJob F>
  channel_status try_post(const context& ctx, F&& f, detail::start_site where = detail::start_site::current()) {
    return post_with<true>(std::forward<F>(f), &ctx, false, where);
  }

  /// Changes how many jobs may execute at a time; 0: as many as the runtime has threads. Jobs beyond a smaller number
  /// end first; never waits. More than 1,048,576: std::invalid_argument.
  void resize(std::size_t workers);

  /// Takes no more jobs; who waits for room is refused. What was accepted still runs. Never waits; any number of times.
  void close();

  /// Waits until no accepted job is left; the pool stays open if it was. None, or ctx's error if that is done first.
  /// From one of its own jobs: std::logic_error.
  error drain(const context& ctx = context::background());

  /// Closes, and drains until `deadline` is done. Then cancels the context of running jobs, abandons queued ones (their
  /// futures hold errc::abandoned), and waits for the running ones to end. From one of its own jobs: std::logic_error.
  shutdown_report shutdown(const context& deadline);

  /// No worker is free and the queue is full: try_submit would refuse. A snapshot.
  bool saturated() const;
  worker_pool_stats stats() const;

 private:
  /// ok: the pool owns the job, which may be gone. Otherwise it was refused, and counted as such.
  channel_status enqueue(detail::pool_job& job, const context* ctx, bool may_wait);
  /// Anything but ok: a job would be refused now, and was counted as such. Asked where a context may win over an
  /// operation that could proceed, and where a job that was moved cannot be given back.
  channel_status admission(const context* ctx, bool may_wait);
  template <bool HasContext, class F>
  static constexpr bool asks_first = HasContext || !detail::can_be_handed_back<F>;

  template <bool HasContext, class F>
  auto* make_submitted(F&& f, const context* ctx, detail::start_site where) {
    using Job = detail::submitted_job<std::decay_t<F>, HasContext, detail::job_result_t<F>>;
    return new Job(std::forward<F>(f), ctx, where, *core_);
  }

  template <class R>
  static future<R> future_of(detail::future_state<R>& state) noexcept {
    state.add_reference();
    return detail::adopt_state<R>(detail::state_ptr<R>(&state));
  }

  template <class F>
  static future<detail::job_result_t<F>> refused_future(channel_status why) {
    detail::promise<detail::job_result_t<F>> refusal;
    auto handed_out = refusal.get_future();
    refusal.set_error(error(why));
    return handed_out;
  }

  template <class F, class Job>
  static void refuse(Job& job, std::remove_reference_t<F>& original, channel_status why) noexcept {
    job.body.template hand_back<F>(original);
    job.refuse(error(why));
  }

  template <bool HasContext, class F>
  result<future<detail::job_result_t<F>>> submit_with(F&& f, const context* ctx, bool may_wait,
                                                      detail::start_site where) {
    if constexpr (asks_first<HasContext, F>) {
      if (channel_status s = admission(ctx, may_wait); s != channel_status::ok) return error(s);
    }
    auto* job = make_submitted<HasContext>(std::forward<F>(f), ctx, where);
    auto handed_out = future_of(*job);
    if (channel_status s = enqueue(*job, ctx, may_wait); s != channel_status::ok) {
      refuse<F>(*job, f, s);
      return error(s);
    }
    return handed_out;
  }

  template <bool HasContext, class F>
  channel_status post_with(F&& f, const context* ctx, bool may_wait, detail::start_site where) {
    if constexpr (asks_first<HasContext, F>) {
      if (channel_status s = admission(ctx, may_wait); s != channel_status::ok) return s;
    }
    auto* job = new detail::posted_job<std::decay_t<F>, HasContext>(std::forward<F>(f), ctx, where);
    const channel_status s = enqueue(*job, ctx, may_wait);
    if (s != channel_status::ok) {
      job->body.template hand_back<F>(f);
      delete job;
    }
    return s;
  }

  struct delete_core {
    void operator()(detail::pool_core* core) const noexcept;
  };
  std::unique_ptr<detail::pool_core, delete_core> core_;
};

}  // namespace spool
