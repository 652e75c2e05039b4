// errgroup: fibers that work on one task together; the first error stops the others.
#pragma once

#include <spool/context/cancel_scope.hpp>
#include <spool/context/context.hpp>
#include <spool/group/detail/task_result.hpp>
#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/task.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace spool {

/// Starts fibers, waits for them, and keeps the first error one of them returned or threw. Go: x/sync/errgroup.
///
///   errgroup group(ctx);
///   for (const auto& url : urls) group.go([&] { return fetch(group.context(), url); });   // error fetch(...)
///   if (error e = group.wait()) return e;
///
/// Thread safe; fibers may be started from within the group. As in Go it may be used again after wait, which keeps
/// reporting the first error, with a context that stays done.
class errgroup {
 public:
  errgroup() : errgroup(spool::context::background()) {}
  explicit errgroup(const spool::context& parent) : scope_(with_cancel(parent)) {}
  /// Cancels the context, then waits for the fibers.
  ~errgroup();
  errgroup(const errgroup&) = delete;
  errgroup& operator=(const errgroup&) = delete;

  /// Derived from parent; done at the first error, which is its cause, and when wait returns. As long as the group
  /// lives.
  const spool::context& context() const noexcept { return scope_.ctx(); }

  /// At most n of its fibers exist at a time from now on; go waits for its turn. 0 lets none start, a negative n
  /// is no limit. While fibers of the group are active: std::logic_error.
  void set_limit(std::ptrdiff_t n);

  /// Runs f on a fiber of the caller's runtime; f returns void, error, std::error_code or a result. Waits while the
  /// limit is reached, whatever the context says; first come, first served. On a plain thread: std::logic_error.
  template <class F>
  void go(F&& f, detail::start_site where = detail::start_site::current()) {
    detail::scheduler& s = detail::require_scheduler("errgroup::go");
    start_when_allowed(s, make_member(std::forward<F>(f), where));
  }

  /// As go, but does not wait: false when the limit is reached; f is then neither run nor moved from.
  template <class F>
  bool try_go(F&& f, detail::start_site where = detail::start_site::current()) {
    detail::scheduler& s = detail::require_scheduler("errgroup::try_go");
    if (!try_enter()) return false;
    entered place{this};
    detail::task* t = make_member(std::forward<F>(f), where);
    place.group = nullptr;
    detail::spawn(s, t);
    return true;
  }

  /// Waits until no fiber of the group is left, then cancels the context. The first error, or none. From any thread.
  [[nodiscard]] error wait();

 private:
  // One fiber's closure. Its function is destroyed before the group counts the fiber as ended: nothing that it holds by
  // reference is touched after wait() has returned.
  template <class F>
  class member {
   public:
    member(errgroup& group, auto&& f) : group_(&group), f_(std::forward<decltype(f)>(f)) {}
    member(member&& other) : group_(other.group_), f_(std::move(other.f_)) {}
    ~member() {
      if (group_ != nullptr) f_.~F();
    }
    void operator()() noexcept {
      error outcome = detail::call_for_error(f_);
      f_.~F();
      std::exchange(group_, nullptr)->leave(std::move(outcome));
    }

   private:
    errgroup* group_;  // null: f_ is destroyed
    union {
      F f_;
    };
  };

  struct entered {
    errgroup* group;
    ~entered() {
      if (group != nullptr) group->leave({});
    }
  };

  template <class F>
  detail::task* make_member(F&& f, detail::start_site where) {
    using Function = std::decay_t<F>;
    static_assert(std::is_invocable_v<Function&>, "an errgroup's function takes no arguments");
    static_assert(detail::GroupResult<std::invoke_result_t<Function&>>,
                  "an errgroup's function returns void, error, std::error_code or a result");
    return detail::make_task(member<Function>(*this, std::forward<F>(f)), where);
  }

  void start_when_allowed(detail::scheduler& s, detail::task* t) noexcept;
  bool try_enter() noexcept;
  void leave(error outcome) noexcept;
  void wait_for_all() noexcept;
  bool room() const noexcept { return limit_ < 0 || active_ < limit_; }

  const cancel_scope scope_;
  // Guards all below. Nothing is called, woken or destroyed under it.
  detail::spin_lock lock_;
  std::ptrdiff_t active_ = 0;
  std::ptrdiff_t limit_ = -1;
  error first_;
  detail::wait_queue entering_;  // go; not empty: no room
  detail::wait_queue waiting_;   // wait; not empty: active_ > 0
};

}  // namespace spool
