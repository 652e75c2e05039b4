// explore: a function under many schedules, each from a seed, until one of them fails.
#pragma once

#include <spool/testing/bubble.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace spool::testing {

struct explore_options {
  std::uint64_t seeds = 1000;              ///< how many; the environment's SPOOL_SEEDS comes first
  std::uint64_t first_seed = 1;
  testing::schedule schedule = testing::schedule::uniform;
  unsigned depth = 5;                      ///< pct: finds what takes that many steps to be in a certain order
  bool early_timers = false;               ///< timers may also fire while fibers are ready
  std::uint64_t longest = 1'000'000;       ///< decisions that a run may take; more are called endless
  std::size_t stack_bytes = 128 * 1024;    ///< of each fiber
  std::function<bool()> failed = nullptr;  ///< asked after each run; for checks that do not throw
};

struct exploration {
  std::uint64_t runs = 0;
  std::uint64_t distinct = 0;   ///< schedules, by the hash of their traces
  std::uint64_t decisions = 0;  ///< of all runs
  std::uint64_t hash = 0;       ///< of the last run
};

namespace detail {

exploration explore(const explore_options& options, std::function<void()> f, start_site where);

}  // namespace detail

/// Runs f once per seed, each time in a bubble in which every operation on channels, locks, groups, conditions, permits and
/// pools is a point at which another fiber may go on, and so is each that wakes a fiber; unlocking a mutex for which
/// nobody waits, starting fibers, and making, asking and cancelling contexts, futures and timers are none by themselves.
/// f must do the same each time but for that: what it changes outside of itself it must undo. The first failure ends it
/// with schedule_failure, whose text names the seed. With SPOOL_SEED=n in the environment only seed n is run: the failure
/// comes back exactly, as far as f does no more than spool can order. An exception that leaves f is a failure.
template <class F>
exploration explore(const explore_options& options, F&& f, detail::start_site where = detail::start_site::current()) {
  std::decay_t<F> body(std::forward<F>(f));
  return detail::explore(options, [&] { body(); }, where);
}

}  // namespace spool::testing
