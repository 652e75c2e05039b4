// retry_budget: bounds the share of retries among all calls, so that retries cannot multiply an overload.
#pragma once

#include <spool/base/clock.hpp>

#include <atomic>
#include <cstdint>
#include <functional>

namespace spool {

struct retry_budget_options {
  double ratio = 0.1;          ///< retries that each call pays for; 0.1: one retry per ten calls
  double min_per_second = 10;  ///< retries allowed besides, so that a service with few calls may retry at all
  double max_saved = 100;      ///< retries that may be saved up; at least 1
  /// The clock. Must not throw. Empty: the steady clock.
  std::function<std::chrono::steady_clock::time_point()> now = {};
};

/// A bucket of tokens that many callers share: one per dependency, say. Each retry() that calls its function puts
/// `ratio` tokens in, time puts min_per_second in, and a retry takes one out or does not take place. It begins with
/// min_per_second tokens, at most max_saved. Thread safe; a deposit is wait-free, a withdrawal lock-free. Must outlive
/// the calls that use it.
class retry_budget {
 public:
  /// A negative or infinite number, or max_saved < 1: std::invalid_argument.
  explicit retry_budget(retry_budget_options options = {});
  retry_budget(const retry_budget&) = delete;
  retry_budget& operator=(const retry_budget&) = delete;

  /// A call has begun. For use without retry(), which does it by itself.
  void deposit() noexcept;
  /// Whether one more retry is allowed; then it is paid for.
  bool try_withdraw() noexcept;
  /// What try_withdraw took out: the retry did not take place, because its delay was cancelled, say.
  void give_back() noexcept;
  /// Retries that would be allowed just now.
  double available() const noexcept;

 private:
  detail::time_point now() const noexcept;
  std::int64_t accrued(std::int64_t since, std::int64_t until) const noexcept;
  void accrue() noexcept;
  void add(std::int64_t amount) noexcept;

  const retry_budget_options options_;
  const std::int64_t per_call_;  // in millionths of a token, as all counts here
  const std::int64_t most_;
  std::atomic<std::int64_t> saved_;       // may exceed most_ by what was deposited at once; cut when it is next read
  std::atomic<std::int64_t> paid_until_;  // the clock's ticks up to which min_per_second is in saved_
};

}  // namespace spool
