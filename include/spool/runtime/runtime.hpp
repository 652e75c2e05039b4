// runtime: N worker threads that run fibers. go starts one, run waits for all.
#pragma once

#include <spool/runtime/detail/task.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace spool {

class context;
namespace detail {
struct seeded_options;
class seeded_session;
}  // namespace detail

/// What happens when every fiber waits and nothing is left that could wake one.
enum class deadlock_policy { off, report, abort };

struct runtime_options {
  std::size_t threads = 0;             ///< 0: SPOOL_THREADS, else the CPUs usable here (affinity, cgroup quota)
  std::size_t stack_bytes = 128 * 1024;  ///< of each fiber; virtual, pages are committed as they are touched
  std::size_t blocking_threads = 64;   ///< upper bound of the helper threads for blocking()
  std::string name = "spool";          ///< prefix of the thread names, and in reports
  deadlock_policy on_deadlock = deadlock_policy::report;
  std::optional<std::chrono::milliseconds> stop_timeout = std::nullopt;  ///< none: wait for as long as it takes
  /// A fiber that keeps its worker for longer, between two operations, is logged with its stack; 0: none is.
  std::chrono::milliseconds stuck_after{10'000};
};

/// What fibers make of their stacks, see runtime::stack_usage.
struct stack_usage {
  std::size_t stack_bytes = 0;  ///< the size of each
  std::size_t stacks = 0;       ///< that the runtime's fibers, and idle runners, have now
  std::size_t high_water = 0;   ///< the most that was touched of any, in whole pages
};

/// Worker threads and the fibers on them; several may live in one process. Go's scheduler, as an object.
/// Thread safe. Must not be destroyed by one of its own fibers.
class runtime {
 public:
  /// Starts the workers. Bad options: std::invalid_argument. No thread to be had: std::system_error.
  explicit runtime(runtime_options options = {});
  /// Ends as run does: cancels root(), waits for every fiber, reports those that can never go on.
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs f as a fiber and waits: for f, then, root() being cancelled, for every other fiber. Returns or rethrows what
  /// f did. A plain thread blocks meanwhile, a fiber of another runtime parks; on a fiber of this runtime: std::logic_error.
  /// Go: main.main; but where Go drops the remaining goroutines, run waits for them.
  template <class F>
  auto run(F&& f, detail::start_site where = detail::start_site::current()) -> std::invoke_result_t<std::decay_t<F>&>;

  /// Starts a fiber; from any thread, never waits. An exception that leaves f is logged and ends the process.
  template <class F>
  void go(F&& f, detail::start_site where = detail::start_site::current()) {
    detail::spawn(core(), std::forward<F>(f), where);
  }

  /// Cancelled when the runtime is asked to end.
  const spool::context& root() const;

  /// The calling fiber's runtime, or null on a plain thread.
  static runtime* current() noexcept;

  /// How much its stacks hold, to choose stack_bytes by: of the stacks there are, and from the first call on also of those
  /// that were given back meanwhile, by any runtime with this stack size. Looks at every stack; from any thread.
  spool::stack_usage stack_usage() const;

  /// The number of worker threads.
  std::size_t threads() const noexcept { return detail::worker_count(core()); }

 private:
  friend class detail::seeded_session;
  runtime(runtime_options options, const detail::seeded_options& seeded);
  friend detail::scheduler& core_of(runtime& rt) noexcept { return rt.core(); }
  detail::scheduler& core() const noexcept { return *core_; }
  void begin_run();
  void end_run() noexcept;

  std::shared_ptr<detail::scheduler> core_;
};

/// A runtime with default options for the length of the call. See runtime::run.
template <class F>
auto run(F&& f, detail::start_site where = detail::start_site::current()) -> std::invoke_result_t<std::decay_t<F>&> {
  runtime rt;
  return rt.run(std::forward<F>(f), where);
}

/// Starts a fiber on the calling fiber's runtime. Never waits. On a plain thread: std::logic_error, f is not moved from.
/// An exception that leaves f is logged with the fiber's name and start site, then std::terminate is called. Go: `go f()`.
template <class F>
void go(F&& f, detail::start_site where = detail::start_site::current()) {
  detail::spawn(detail::require_scheduler("spool::go"), std::forward<F>(f), where);
}

/// Live fibers of the current runtime, started or queued; 0 on a plain thread. A snapshot.
std::size_t fiber_count() noexcept;

namespace detail {

/// What a run leaves behind: a value, nothing, or an exception.
template <class R>
struct run_outcome {
  std::optional<std::conditional_t<std::is_reference_v<R>, std::remove_reference_t<R>*, R>> value;
  std::exception_ptr exception;

  template <class F>
  void capture(F& f) noexcept {
    try {
      if constexpr (std::is_reference_v<R>) {
        value.emplace(&f());
      } else {
        value.emplace(f());
      }
    } catch (...) {
      exception = std::current_exception();
    }
  }

  R take() {
    if (exception) std::rethrow_exception(std::move(exception));
    if constexpr (std::is_reference_v<R>) {
      return static_cast<R>(**value);
    } else {
      return std::move(*value);
    }
  }
};

template <>
struct run_outcome<void> {
  std::exception_ptr exception;

  template <class F>
  void capture(F& f) noexcept {
    try {
      f();
    } catch (...) {
      exception = std::current_exception();
    }
  }

  void take() {
    if (exception) std::rethrow_exception(std::move(exception));
  }
};

}  // namespace detail

template <class F>
auto runtime::run(F&& f, detail::start_site where) -> std::invoke_result_t<std::decay_t<F>&> {
  begin_run();
  detail::run_outcome<std::invoke_result_t<std::decay_t<F>&>> outcome;
  {
    detail::waiter caller;
    std::decay_t<F> body(std::forward<F>(f));
    detail::spawn(
        core(),
        [&outcome, &caller, &body] {
          outcome.capture(body);
          if (caller.claim(detail::waiter::done)) caller.wake();
        },
        where);
    caller.wait({"run", this});
  }
  end_run();
  return outcome.take();
}

}  // namespace spool
