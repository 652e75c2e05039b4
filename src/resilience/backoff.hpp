// The delays of retry: they grow exponentially up to a bound, and each is drawn at random around its place in the row.
#pragma once

#include <chrono>

namespace spool::detail {

/// A delay around d (nanoseconds): `where` in [0, 1) picks from [d * (1 - jitter), d * (1 + jitter)], cut at max. The
/// cut narrows what is drawn from instead of the result, which would send a half of all callers back at the same
/// moment.
std::chrono::nanoseconds jittered(double d, double jitter, std::chrono::nanoseconds max, double where) noexcept;

/// The delay after d: never beyond max, and never a number that cannot be held.
double grown(double d, double multiplier, std::chrono::nanoseconds max) noexcept;

/// Uniform in [0, 1); differs from call to call and from process to process. Thread safe.
double random_unit() noexcept;

}  // namespace spool::detail
