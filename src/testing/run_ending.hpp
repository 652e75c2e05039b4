#pragma once

#include <spool/testing/schedule_failure.hpp>

namespace spool::testing {

/// `how` is not done.
inline run_ending ending_of(spool::detail::seeded_outcome::ending how) noexcept {
  using ending = spool::detail::seeded_outcome::ending;
  switch (how) {
    case ending::thrown: return run_ending::thrown;
    case ending::escaped: return run_ending::escaped;
    case ending::deadlock: return run_ending::deadlock;
    case ending::leak: return run_ending::leak;
    case ending::endless: return run_ending::endless;
    case ending::done: break;
  }
  return run_ending::failed;
}

}  // namespace spool::testing
