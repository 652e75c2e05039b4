// What a run under a seed may fail of.
#pragma once

#include <spool/runtime/detail/seeded.hpp>

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace spool::testing {

enum class run_ending : std::uint8_t {
  thrown,    ///< the function let an exception out
  escaped,   ///< another fiber did
  deadlock,  ///< the function has not returned, every fiber waits and no timer is armed
  leak,      ///< it has returned, root() is cancelled, and there are fibers that wait for ever
  endless,   ///< more decisions were taken than a run may take
  failed,    ///< explore_options::failed said so
};

/// A run that failed. what() says why and under which seed, and names the fibers that had not ended: their start sites
/// and what they wait on. Those were given up: their stacks are not unwound.
class schedule_failure : public std::runtime_error {
 public:
  schedule_failure(run_ending how, detail::seeded_outcome outcome);

  run_ending how() const noexcept { return how_; }
  std::uint64_t seed() const noexcept { return outcome_.seed; }
  /// What was let out; null unless thrown or escaped.
  std::exception_ptr exception() const noexcept { return outcome_.exception; }
  /// Descriptions of the fibers that had not ended.
  const std::vector<std::string>& fibers() const noexcept { return outcome_.fibers; }
  /// The fiber chosen (1: the function's own, 2: the next that was ready, …), wherever there was a choice.
  const std::vector<std::uint32_t>& trace() const noexcept { return outcome_.trace; }
  /// Of the trace and of how many there were to choose from: the same seed gives the same.
  std::uint64_t trace_hash() const noexcept { return outcome_.hash; }

 private:
  run_ending how_;
  detail::seeded_outcome outcome_;
};

}  // namespace spool::testing
