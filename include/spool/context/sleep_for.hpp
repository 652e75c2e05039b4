// A sleep that a context ends early.
#pragma once

#include <spool/context/context.hpp>

#include <chrono>

namespace spool::this_fiber {

/// Waits until `when` or until ctx is done: none, or ctx's err(). A context that is done already wins; max() is never.
error sleep_until(const context& ctx, detail::time_point when);

template <class Clock, class Duration>
error sleep_until(const context& ctx, std::chrono::time_point<Clock, Duration> when) {
  return sleep_until(ctx, detail::to_steady(when));
}

/// Waits for d (not at all when d <= 0: it yields) or until ctx is done: none, or ctx's err(). On a plain thread too.
/// Go: select over time.After and ctx.Done().
template <class Rep, class Period>
error sleep_for(const context& ctx, std::chrono::duration<Rep, Period> d) {
  return sleep_until(ctx, detail::deadline_after(d));
}

}  // namespace spool::this_fiber
