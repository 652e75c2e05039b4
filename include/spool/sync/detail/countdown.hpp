// countdown: a counter that can be waited on to become zero; what wait_group and latch share.
// count_ goes to zero only under mu_, and who waits looks at it under mu_: so nobody returns from wait, and destroys
// the counter, while the one who made it zero still holds mu_. Other changes are one atomic operation.
#pragma once

#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/waiter.hpp>
#include <spool/sync/detail/wait_limit.hpp>

#include <atomic>
#include <cstddef>

namespace spool::detail {

class countdown {
 public:
  explicit countdown(std::ptrdiff_t count = 0) noexcept : count_(count) {}

  /// A result below zero or out of range: std::logic_error(misuse), nothing changes.
  void add(std::ptrdiff_t n, const char* misuse);
  waiter::outcome wait(wait_limit limit, const char* what);
  bool is_zero() noexcept;

 private:
  std::atomic<std::ptrdiff_t> count_;
  spin_lock mu_;
  wait_queue queue_;  // guarded by mu_
};

}  // namespace spool::detail
