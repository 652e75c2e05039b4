// done_hook: makes a context end a wait.
#pragma once

#include <spool/context/context.hpp>
#include <spool/runtime/detail/waiter.hpp>

namespace spool::detail {

/// Registers `w` with `ctx` for the length of a wait. When ctx becomes done, or is done already, w is claimed with
/// `how` and woken. Once the destructor has returned no claim from here comes any more. With a context that can never
/// be done both cost nothing. ctx (some handle to it) and w must outlive the hook. Take the context's err() after the
/// wait: it is set before the claim. Never waits; no lock may be held that a waker of `w` takes.
///
///   waiter self;
///   done_hook stop(ctx, self);          // registered before or after the object's own queue, it does not matter
///   ... queue a wait_node, unlock ...
///   if (self.wait({"recv", this}) == waiter::canceled) { ... deregister the wait_node ...; return ctx.err(); }
class done_hook {
 public:
  explicit done_hook(const context& ctx, waiter& w, waiter::outcome how = waiter::canceled) noexcept
      : node_(w, how), watched_(context_access::node(ctx)) {
    if (watched_ != nullptr) enlist();
  }
  ~done_hook() {
    if (watched_ != nullptr) withdraw();
  }
  done_hook(const done_hook&) = delete;
  done_hook& operator=(const done_hook&) = delete;

 private:
  void enlist() noexcept;
  void withdraw() noexcept;

  wait_node node_;
  cancel_node* watched_;  // null: not registered
};

}  // namespace spool::detail
