// blocking: calls that would block a worker thread, run on helper threads.
#pragma once

#include <spool/runtime/runtime.hpp>

#include <cstddef>
#include <cstdint>

namespace spool {

/// A snapshot of a runtime's helper threads. They are started when a call finds none idle, up to the bound, and end
/// after 5 s without one.
struct blocking_thread_stats {
  std::size_t threads = 0;  ///< that exist
  std::size_t busy = 0;     ///< that run a call
  std::size_t queued = 0;   ///< calls that no thread has begun
  std::size_t bound = 0;    ///< runtime_options::blocking_threads
  bool saturated = false;   ///< a call found the bound reached and every thread busy, and calls have waited ever since
  std::uint64_t saturations = 0;  ///< how often that has begun; each is logged, but at most one in 10 s
};

namespace detail {

/// One call that waits for a helper thread. `state` says who owns it: the caller until a helper has begun it.
struct blocking_call : list_hook {
  void (*invoke)(blocking_call&) noexcept = nullptr;
  waiter* caller = nullptr;
};

/// Queues `call` for a helper thread of the current runtime, starting one when all are busy and the bound allows.
/// No thread to be had while none runs: std::system_error.
void submit_blocking(scheduler& s, blocking_call& call);
/// True: the call was still queued and will not run.
bool withdraw_blocking(scheduler& s, blocking_call& call) noexcept;
blocking_thread_stats blocking_stats_of(scheduler& s) noexcept;

/// A blocking_call that runs f and keeps what it did.
template <class F>
struct blocking_frame : blocking_call {
  using value_type = std::invoke_result_t<F&>;
  explicit blocking_frame(F& function) : f(function) {
    caller = &self;
    invoke = [](blocking_call& base) noexcept {
      auto& frame = static_cast<blocking_frame&>(base);
      frame.outcome.capture(frame.f);
    };
  }
  F& f;
  waiter self;
  run_outcome<value_type> outcome;
};

}  // namespace detail

/// Runs f on a helper thread and parks the fiber meanwhile; returns or rethrows what f did. On a plain thread f runs at
/// once, where it is. At most runtime_options::blocking_threads run at a time, further calls wait their turn.
/// No helper thread can be started: std::system_error, f has not run. Go does this for every system call by itself.
template <class F>
auto blocking(F&& f) -> std::invoke_result_t<F&> {
  detail::scheduler* s = detail::current_scheduler();
  if (s == nullptr) return f();
  detail::blocking_frame<std::remove_reference_t<F>> frame(f);
  detail::submit_blocking(*s, frame);
  frame.self.wait({"blocking", &frame});
  return frame.outcome.take();
}

/// Of the calling fiber's runtime; on a plain thread: std::logic_error. From any thread, with the runtime named.
inline blocking_thread_stats blocking_stats() {
  return detail::blocking_stats_of(detail::require_scheduler("spool::blocking_stats"));
}
inline blocking_thread_stats blocking_stats(runtime& rt) noexcept { return detail::blocking_stats_of(core_of(rt)); }

}  // namespace spool
