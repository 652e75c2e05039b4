// A reservation fixes a moment at which its tokens will be there, and nothing moves it. The bucket is therefore known
// after each moment at which tokens are taken, past and to come, and the next reservation follows from the one before
// it:
//   level after moment k = min(burst, level after k-1 + per_second * (moment k - moment k-1)) - tokens of k   >= 0
// Moments are whole ticks of the clock, rounded up; the fraction gained stays in the level, so no error adds up. A debt
// (negative tokens, as is usual) would not do: with a reservation cancelled in the middle it forgets that the bucket is
// full between two others, and lets more than `burst` through.
#include <spool/context/sleep_for.hpp>
#include <spool/resilience/rate_limiter.hpp>
#include <spool/runtime/detail/waiter.hpp>
#include <spool/runtime/this_fiber.hpp>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace spool {
namespace {

using detail::time_point;
using std::chrono::nanoseconds;

// What summing fractions may lack of a whole token. Given early, it is missing from the level afterwards.
constexpr double tolerance = 1e-9;

rate_limiter_options checked(rate_limiter_options o) {
  if (!std::isfinite(o.per_second) || o.per_second <= 0) {
    throw std::invalid_argument("spool::rate_limiter: per_second must be greater than 0, and finite");
  }
  if (o.burst < 1) throw std::invalid_argument("spool::rate_limiter: burst must be at least 1");
  return o;
}

/// span >= 0, in nanoseconds, may be infinite. A sum that the clock cannot hold is "never".
time_point later(time_point from, double span) noexcept {
  const std::chrono::duration<double, std::nano> room = time_point::max() - std::max(from, time_point{});
  return span < room.count() ? from + nanoseconds(static_cast<nanoseconds::rep>(span)) : time_point::max();
}

}  // namespace

rate_limiter::rate_limiter(rate_limiter_options options)
    : options_(checked(std::move(options))),
      burst_(static_cast<double>(options_.burst)),
      latest_(clock_now()),
      served_{latest_, burst_} {}

time_point rate_limiter::clock_now() const { return options_.now ? options_.now() : detail::clock::now(); }

void rate_limiter::require_possible(std::ptrdiff_t n) const {
  if (n < 0) throw std::invalid_argument("spool::rate_limiter: a number of tokens must not be negative");
  if (n > options_.burst) {
    throw std::invalid_argument("spool::rate_limiter: more tokens than burst are never there at once; ask for fewer");
  }
}

/// The level after n tokens were taken at `at`, not before from.at.
rate_limiter::level rate_limiter::taken(level from, time_point at, double n) const noexcept {
  const double gained = static_cast<double>(nanoseconds(at - from.at).count()) * options_.per_second / 1e9;
  return {at, std::min(burst_, from.tokens + gained) - n};
}

/// The level after the last reservation. Walks the reservations when one was cancelled since it was asked for last, so
/// that the cancellation of many costs no more than that of one.
rate_limiter::level rate_limiter::after_reserved() const noexcept {
  if (reserved_.empty()) return served_;
  if (stale_) {
    last_ = served_;
    for (reservation* r = reserved_.front(); r != nullptr; r = reserved_.next(*r)) {
      last_ = taken(last_, r->at, r->tokens);
    }
    stale_ = false;
  }
  return last_;
}

/// When n tokens asked for at `now` could be taken, after all that is reserved.
time_point rate_limiter::moment_for(double n, time_point now) const noexcept {
  level from = after_reserved();
  if (from.at < now) from = taken(from, now, 0);
  const double missing = n - from.tokens;
  return missing <= tolerance ? from.at : later(from.at, std::ceil(missing * 1e9 / options_.per_second));
}

/// Reservations whose moment has come count as taken, whether or not they have woken up yet.
void rate_limiter::advance(time_point now) noexcept {
  latest_ = std::max(latest_, now);
  while (reservation* first = reserved_.front()) {
    if (first->at > latest_) return;
    served_ = taken(served_, first->at, first->tokens);
    detail::intrusive_list<reservation>::erase(*first);
  }
}

bool rate_limiter::take_now(double n) noexcept {
  if (!reserved_.empty() || moment_for(n, latest_) > latest_) return false;
  served_ = taken(served_, latest_, n);
  return true;
}

bool rate_limiter::try_acquire(std::ptrdiff_t n) {
  require_possible(n);
  detail::spend_budget();
  const time_point now = clock_now();
  const std::lock_guard guard(mu_);
  advance(now);
  return n == 0 || take_now(static_cast<double>(n));
}

void rate_limiter::acquire(std::ptrdiff_t n) { static_cast<void>(acquire(context::background(), n)); }

error rate_limiter::acquire(const context& ctx, std::ptrdiff_t n) {
  require_possible(n);
  if (ctx.done()) return ctx.err();
  if (n == 0) return {};
  const auto deadline = ctx.deadline();
  const auto time_left = deadline ? *deadline - detail::clock::now() : detail::clock::duration::max();
  const time_point asked = clock_now();
  reservation mine;
  mine.tokens = static_cast<double>(n);
  bool at_once = false;
  {
    const std::lock_guard guard(mu_);
    advance(asked);
    at_once = take_now(mine.tokens);
    if (!at_once) {
      mine.at = moment_for(mine.tokens, latest_);
      if (mine.at - latest_ > time_left) return errc::deadline_exceeded;
      last_ = taken(after_reserved(), mine.at, mine.tokens);
      stale_ = false;
      reserved_.push_back(mine);
    }
  }
  if (!at_once) return await(ctx, mine, asked);
  detail::spend_budget();
  return {};
}

error rate_limiter::await(const context& ctx, reservation& mine, time_point asked) {
  const time_point wake = options_.now ? detail::deadline_after(mine.at - asked) : mine.at;
  error ended = this_fiber::sleep_until(ctx, wake);
  const time_point now = ended ? clock_now() : mine.at;
  const std::lock_guard guard(mu_);
  advance(now);
  if (!mine.linked()) return {};  // its moment has come, even if the context was done first
  detail::intrusive_list<reservation>::erase(mine);
  stale_ = true;
  return ended;
}

nanoseconds rate_limiter::delay(std::ptrdiff_t n) const {
  require_possible(n);
  if (n == 0) return {};
  const time_point read = clock_now();
  const std::lock_guard guard(mu_);
  const time_point now = std::max(latest_, read);
  return moment_for(static_cast<double>(n), now) - now;
}

}  // namespace spool
