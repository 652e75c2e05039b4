// What bounds a wait: nothing, a point in time, or a context. Lets each primitive have one waiting routine.
#pragma once

#include <spool/base/error.hpp>
#include <spool/runtime/detail/waiter.hpp>

namespace spool {

class context;

namespace detail {

class wait_limit {
 public:
  wait_limit() noexcept = default;
  wait_limit(time_point deadline) noexcept : deadline_(deadline) {}
  wait_limit(const context& ctx) noexcept : ctx_(&ctx) {}

  bool none() const noexcept { return ctx_ == nullptr && deadline_ == time_point::max(); }
  /// The context is done already: it wins over an operation that could proceed.
  bool canceled() const noexcept;
  /// Waits within the limit: done, timed_out or canceled. The waiter is registered where it can be found. `needs`: who can
  /// end it if there is no limit.
  waiter::outcome wait(waiter& w, wait_site site, waiter::needs needs = waiter::needs::surroundings) const noexcept;
  /// What a wait that ended as `how` is to its caller; none for done.
  error to_error(waiter::outcome how) const;

 private:
  const context* ctx_ = nullptr;
  time_point deadline_ = time_point::max();
};

}  // namespace detail
}  // namespace spool
