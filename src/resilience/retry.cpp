#include <spool/context/sleep_for.hpp>
#include <spool/resilience/retry.hpp>

#include "backoff.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace spool {

bool is_transient(const error& e) noexcept { return e != std::errc::operation_canceled && e != errc::circuit_open; }

namespace detail {
namespace {

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

const retry_options& checked(const retry_options& o) {
  require(o.max_attempts >= 1, "spool::retry: max_attempts counts the first call, too, and must be at least 1");
  require(o.initial.count() >= 0 && o.max.count() >= 0, "spool::retry: initial and max must not be negative");
  require(std::isfinite(o.multiplier) && o.multiplier >= 1, "spool::retry: multiplier must be at least 1, and finite");
  require(o.jitter >= 0 && o.jitter <= 1, "spool::retry: jitter must be from 0 to 1");
  return o;
}

/// Gives the token back of a retry that does not take place, be it cancelled or because on_retry throws.
struct paid_retry {
  explicit paid_retry(retry_budget& b) noexcept : budget(b) {}
  ~paid_retry() {
    if (!used) budget.give_back();
  }
  paid_retry(const paid_retry&) = delete;
  paid_retry& operator=(const paid_retry&) = delete;

  retry_budget& budget;
  bool used = false;
};

}  // namespace

retry_loop::retry_loop(const context& ctx, const retry_options& options)
    : ctx_(ctx),
      options_(checked(options)),
      delay_(static_cast<double>(std::min(options.initial, options.max).count())) {}

bool retry_loop::begin() {
  if (refused()) return false;
  if (options_.budget != nullptr) options_.budget->deposit();
  return true;
}

bool retry_loop::refused() {
  if (!ctx_.done()) return false;
  failure_ = ctx_.err();
  return true;
}

bool retry_loop::again(error failed) {
  failure_ = std::move(failed);
  if (++attempts_ >= options_.max_attempts) return false;
  if (refused()) return false;
  if (options_.retry_if ? !options_.retry_if(failure_) : !is_transient(failure_)) return false;
  if (options_.budget == nullptr) return wait();
  if (!options_.budget->try_withdraw()) return false;
  paid_retry paid(*options_.budget);
  return paid.used = wait();
}

bool retry_loop::wait() {
  const auto delay = jittered(delay_, options_.jitter, options_.max, random_unit());
  delay_ = grown(delay_, options_.multiplier, options_.max);
  if (options_.on_retry) options_.on_retry(attempts_, failure_, delay);
  if (error ended = this_fiber::sleep_for(ctx_, delay)) {
    failure_ = std::move(ended);
    return false;
  }
  return true;
}

}  // namespace detail
}  // namespace spool
