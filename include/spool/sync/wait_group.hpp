// wait_group: wait until a number of tasks have ended.
#pragma once

#include <spool/base/error.hpp>
#include <spool/runtime/runtime.hpp>
#include <spool/sync/detail/countdown.hpp>

#include <chrono>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace spool {

/// Go's sync.WaitGroup. May be used again once wait has returned, and destroyed then, even while the last done is still
/// running. A counter below zero: std::logic_error, the counter stays as it was.
class wait_group {
 public:
  wait_group() noexcept = default;
  wait_group(const wait_group&) = delete;
  wait_group& operator=(const wait_group&) = delete;

  /// Never waits. n may be negative, as in Go.
  void add(std::ptrdiff_t n = 1) { tasks_.add(n, misuse); }
  /// Never waits. The same as add(-1).
  void done() { tasks_.add(-1, misuse); }

  /// Waits until the counter is zero.
  void wait() { tasks_.wait({}, "wait_group"); }
  /// None, or the context's error. A ctx that is done already wins.
  error wait(const context& ctx);
  /// True: the counter was zero. False: `d` has passed.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> d) {
    return tasks_.wait(detail::deadline_after(d), "wait_group") == detail::waiter::done;
  }

  /// add(1), and f on a fiber of its own that ends with done(). What f captured is destroyed before done(): it may
  /// refer to what wait() keeps alive. An exception that leaves f is logged and ends the process, as with spool::go.
  /// On a plain thread: std::logic_error, f is not moved from.
  template <class F>
  void go(F&& f, detail::start_site where = detail::start_site::current()) {
    detail::scheduler& s = detail::require_scheduler("spool::wait_group::go");
    add();
    try {
      detail::spawn(
          s,
          [this, f = std::decay_t<F>(std::forward<F>(f))]() mutable {
            {
              std::decay_t<F> body(std::move(f));
              body();
            }
            done();
          },
          where);
    } catch (...) {
      done();
      throw;
    }
  }

 private:
  static constexpr const char* misuse =
      "spool::wait_group: the counter would be negative, or too large; call add before the task starts, and done once for each";

  detail::countdown tasks_;
};

}  // namespace spool
