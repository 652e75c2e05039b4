// shutdown_sequence: the end of a service. Stop accepting, drain with a deadline, cancel what is left, report.
#pragma once

#include <spool/base/error.hpp>
#include <spool/base/start_site.hpp>
#include <spool/context/context.hpp>
#include <spool/group/detail/task_result.hpp>
#include <spool/pool/shutdown_summary.hpp>
#include <spool/pool/worker_pool.hpp>
#include <spool/runtime/runtime.hpp>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace spool {

struct shutdown_options {
  std::chrono::milliseconds drain_for{10'000};  ///< for the stop and drain steps together; max(): as long as it takes
  std::chrono::milliseconds cancel_for{5'000};  ///< for what is left to end once it was cancelled
  std::vector<int> signals = {SIGINT, SIGTERM};  ///< may be empty
  /// The same signal again within this time is the same request: `timeout` signals a process and then its group, and
  /// after a Ctrl-C many a supervisor forwards what the terminal has sent already.
  std::chrono::milliseconds ignore_repeats_for{100};
};

namespace detail {
class shutdown_core;
using step_function = std::function<error(const context&)>;

template <class F>
struct step_result : std::invoke_result<std::decay_t<F>&, const context&> {};
template <PlainJob F>
struct step_result<F> : std::invoke_result<std::decay_t<F>&> {};

/// Callable without arguments or with a const context&; returns void, error, std::error_code or a result.
template <class F>
concept ShutdownStep = PoolJob<F> && GroupResult<typename step_result<F>::type>;

template <ShutdownStep F>
step_function make_step(F&& f) {
  return [held = std::make_shared<std::decay_t<F>>(std::forward<F>(f))](const context& ctx) {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (PlainJob<F>) {
        return (*held)();
      } else {
        return (*held)(ctx);
      }
    };
    return call_for_error(call);
  };
}
}  // namespace detail

/// Waits for a signal, then ends a service in three phases, and says how that went:
///
///   1. stop: the stop steps, in the order of registration. Take nothing new.
///   2. drain: the drain steps, one after the other in the order of registration, until drain_for is over. Register
///      what takes the work in before what it hands the work to: connections, then the pool, then the database.
///   3. cancel: only if something did not drain. ctx() is cancelled, then all cancel steps run at once, but for those
///      whose drain steps (of the same name) all did. Waits up to cancel_for for every step that has not ended yet.
///
///   shutdown_sequence shutdown({.drain_for = 10s});
///   shutdown.on_stop("listener", [&] { acceptor.close(); });
///   shutdown.add("jobs", pool);
///   serve(shutdown.ctx());
///   shutdown_summary summary = shutdown.wait();
///
/// A second signal forces: it ends the drain phase at once, or the wait for what was cancelled. One more, or one after
/// wait has returned, has the effect that it would have had without the sequence: by default it ends the process.
/// Steps run on fibers of the runtime, so wait may be called on a plain thread. A step gets a context that is done when
/// nobody waits for it any more. Its error or exception is reported and stops nothing, nor does a lack of memory to
/// start it (std::errc::not_enough_memory). If one ignores its context the
/// summary says so (ended() is false); then std::_Exit, or the destructor waits for it.
/// Go: signal.Notify, http.Server.Shutdown and an errgroup, by hand.
class shutdown_sequence {
 public:
  /// On the calling fiber's runtime; begins also when its root() or `parent` is done. The signals are taken from here
  /// on. On a plain thread: std::logic_error. A signal that cannot be caught, a negative time: std::invalid_argument.
  explicit shutdown_sequence(shutdown_options options = {});
  explicit shutdown_sequence(const context& parent, shutdown_options options = {});
  explicit shutdown_sequence(runtime& rt, shutdown_options options = {});
  /// Cancels both contexts, waits for steps that have not ended yet, however long, destroys them, and gives the signals
  /// back. Without a wait no step has run. Declare what the steps refer to before the sequence.
  ~shutdown_sequence();
  shutdown_sequence(const shutdown_sequence&) = delete;
  shutdown_sequence& operator=(const shutdown_sequence&) = delete;

  /// Registers a step; steps are registered by one thread at a time. Once wait was called: std::logic_error.
  template <detail::ShutdownStep F>
  void on_stop(std::string name, F&& f, detail::start_site where = detail::start_site::current()) {
    add_step(shutdown_phase::stop, std::move(name), detail::make_step(std::forward<F>(f)), where);
  }
  template <detail::ShutdownStep F>
  void on_drain(std::string name, F&& f, detail::start_site where = detail::start_site::current()) {
    add_step(shutdown_phase::drain, std::move(name), detail::make_step(std::forward<F>(f)), where);
  }
  template <detail::ShutdownStep F>
  void on_cancel(std::string name, F&& f, detail::start_site where = detail::start_site::current()) {
    add_step(shutdown_phase::cancel, std::move(name), detail::make_step(std::forward<F>(f)), where);
  }
  /// A drain step that closes and drains the pool; a cancel step that cancels its running jobs and abandons the queued
  /// ones; and its jobs in the summary. The pool must outlive the sequence.
  void add(std::string name, worker_pool& pool, detail::start_site where = detail::start_site::current());

  /// Done when the shutdown begins: for a readiness probe, for keep-alive connections. Its cause says why.
  const context& stopping() const noexcept;
  /// Done when what has not drained is cancelled, or when wait returns: for the service's work. Has parent's values.
  const context& ctx() const noexcept;

  /// Begins the shutdown, as the first signal does. From any thread, any number of times; never waits.
  void request(error cause = {}) const;
  /// Begins it and ends what is being waited for, as the second signal does. From any thread; never waits.
  void force(error cause = {}) const;

  /// Waits for the first signal, request(), or the parent; runs the phases; returns at most drain_for + cancel_for
  /// after that. A second call: std::logic_error.
  [[nodiscard]] shutdown_summary wait();

 private:
  void add_step(shutdown_phase phase, std::string name, detail::step_function f, detail::start_site where);

  std::shared_ptr<detail::shutdown_core> core_;  // also held by a signal on its way
};

}  // namespace spool
