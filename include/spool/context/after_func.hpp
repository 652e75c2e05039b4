// after_func: starts a fiber when a context becomes done.
#pragma once

#include <spool/context/context.hpp>
#include <spool/runtime/detail/task.hpp>

#include <memory>
#include <utility>

namespace spool {

class after_func_stop;

namespace detail {
class after_func_entry;
/// Takes ownership of f.
after_func_stop register_after_func(const context& ctx, scheduler& s, task* f);
}  // namespace detail

/// What after_func returns: called, it prevents f from being run. Copies stand for the same f; dropping it does
/// nothing. Go: the stop function of context.AfterFunc.
class after_func_stop {
 public:
  /// True: f will not run because of this call. False: it was started or prevented before. Never waits, not even for f.
  bool operator()() const noexcept;

 private:
  friend after_func_stop detail::register_after_func(const context& ctx, detail::scheduler& s, detail::task* f);
  after_func_stop(detail::cancel_node_ptr watched, std::shared_ptr<detail::after_func_entry> entry) noexcept
      : watched_(std::move(watched)), entry_(std::move(entry)) {}
  detail::cancel_node_ptr watched_;
  std::shared_ptr<detail::after_func_entry> entry_;
};

/// Runs f on a fiber of its own once ctx is done; at once if it is already. The fiber belongs to the runtime of the
/// caller; f is dropped unrun when that runtime has ended by then, or when the last handle to ctx and the last copy of
/// the returned stop function are gone. On a plain thread: std::logic_error. An exception that leaves f ends the
/// process, as with go. Never waits. Go: context.AfterFunc.
template <class F>
after_func_stop after_func(const context& ctx, F&& f, detail::start_site where = detail::start_site::current()) {
  detail::scheduler& s = detail::require_scheduler("spool::after_func");
  return detail::register_after_func(ctx, s, detail::make_task(std::forward<F>(f), where));
}

}  // namespace spool
