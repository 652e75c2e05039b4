// Random programs under random schedules against the oracle.
#include "models/linearizable.hpp"
#include "models/program.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace {

using namespace spool_test;
using spool::testing::explore;
using spool::testing::explore_options;
using spool::testing::schedule;

void run_and_judge(const program_shape& shape) {
  const history h = program(spool::testing::seed(), shape).run();
  if (!done_contexts_win(h)) throw std::runtime_error("an operation went ahead under a done context:\n" + to_string(h));
  if (!is_linearizable(h)) throw std::runtime_error("no order of these explains the answers:\n" + to_string(h));
}

/// And what they may have made wait: who comes to a semaphore for which another waits is refused, permits or not.
void leave_out_timeouts(history& h) {
  const std::vector<operation> all = h.operations;
  std::erase_if(h.operations, [&all](const operation& op) {
    if (op.result == answer::timeout) return true;
    if (op.what != action::acquire || op.result != answer::would_block) return false;
    return std::any_of(all.begin(), all.end(), [&op](const operation& other) {
      return other.what == action::acquire && other.result == answer::timeout && other.invoked < op.returned &&
             op.invoked < other.returned;
    });
  });
}

class Programs : public ::testing::TestWithParam<schedule> {};
INSTANTIATE_TEST_SUITE_P(Schedules, Programs, ::testing::Values(schedule::uniform, schedule::pct),
                         [](const auto& kind) { return kind.param == schedule::pct ? "pct" : "uniform"; });

TEST_P(Programs, AgreeWithTheOracle) {
  explore({.seeds = seeds(2), .schedule = GetParam()}, [] { run_and_judge({}); });
}

// Timers fire early here, so that what times out need not have been unable to go on; time stands still for nobody. Only
// what a wait of no bound answers is judged, by the oracle's rules for the answers that remain.
TEST_P(Programs, KeepValuesInOrderWhateverTimersDo) {
  explore({.seeds = seeds(10), .schedule = GetParam(), .early_timers = true}, [] {
    history h = program(spool::testing::seed(), {}).run();
    leave_out_timeouts(h);
    if (!is_linearizable(h)) throw std::runtime_error("no order of these explains the answers:\n" + to_string(h));
  });
}

// Up to 12 operations on one channel, and on a mutex and a semaphore.
TEST_P(Programs, OfOneChannelAreLinearizable) {
  explore({.seeds = seeds(2), .schedule = GetParam()}, [] {
    run_and_judge({.most_fibers = 3, .most_operations = 4, .channels = 1, .locks = false, .selects = false, .contexts = false});
  });
}

}  // namespace
