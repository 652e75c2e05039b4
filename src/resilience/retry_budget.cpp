#include <spool/resilience/retry_budget.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace spool {
namespace {

constexpr std::int64_t one_token = 1'000'000;
constexpr double most_tokens = 1e12;  // so that counts stay far from what an int64 holds

retry_budget_options checked(retry_budget_options o) {
  const auto sound = [](double x) { return std::isfinite(x) && x >= 0; };
  if (!sound(o.ratio) || !sound(o.min_per_second)) {
    throw std::invalid_argument("spool::retry_budget: ratio and min_per_second must not be negative or infinite");
  }
  if (!sound(o.max_saved) || o.max_saved < 1) {
    throw std::invalid_argument("spool::retry_budget: max_saved must be at least 1, and finite");
  }
  return o;
}

std::int64_t tokens(double n) noexcept { return std::llround(std::min(n, most_tokens) * one_token); }

}  // namespace

retry_budget::retry_budget(retry_budget_options options)
    : options_(checked(std::move(options))),
      per_call_(tokens(options_.ratio)),
      most_(tokens(options_.max_saved)),
      saved_(std::min(tokens(options_.min_per_second), most_)),
      paid_until_(now().time_since_epoch().count()) {}

detail::time_point retry_budget::now() const noexcept { return options_.now ? options_.now() : detail::clock::now(); }

// What is beyond most_ is cut when tokens are taken out: as long as none are, cutting late is the same as cutting at
// once.
void retry_budget::add(std::int64_t amount) noexcept {
  if (saved_.load(std::memory_order_relaxed) < most_) saved_.fetch_add(amount, std::memory_order_relaxed);
}

void retry_budget::deposit() noexcept { add(per_call_); }

void retry_budget::give_back() noexcept { add(one_token); }

std::int64_t retry_budget::accrued(std::int64_t since, std::int64_t until) const noexcept {
  const std::chrono::duration<double> span = detail::clock::duration(until) - detail::clock::duration(since);
  return span.count() <= 0 ? 0 : tokens(span.count() * options_.min_per_second);
}

void retry_budget::accrue() noexcept {
  const std::int64_t until = now().time_since_epoch().count();
  std::int64_t since = paid_until_.load(std::memory_order_relaxed);
  const std::int64_t due = accrued(since, until);
  // A thousandth of a token at least: else what rounding takes from many short spans would add up.
  if (due < one_token / 1000) return;
  if (!paid_until_.compare_exchange_strong(since, until, std::memory_order_relaxed))
    return;  // another caller pays it in
  std::int64_t saved = saved_.load(std::memory_order_relaxed);
  while (
      !saved_.compare_exchange_weak(saved, std::min(std::min(saved, most_) + due, most_), std::memory_order_relaxed)) {
  }
}

bool retry_budget::try_withdraw() noexcept {
  accrue();
  std::int64_t saved = saved_.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t there = std::min(saved, most_);
    if (there < one_token) return false;
    if (saved_.compare_exchange_weak(saved, there - one_token, std::memory_order_relaxed)) return true;
  }
}

double retry_budget::available() const noexcept {
  const std::int64_t since = paid_until_.load(std::memory_order_relaxed);
  const std::int64_t due = accrued(since, now().time_since_epoch().count());
  const std::int64_t saved = std::min(saved_.load(std::memory_order_relaxed), most_);
  return static_cast<double>(std::min(saved + due, most_)) / one_token;
}

}  // namespace spool
