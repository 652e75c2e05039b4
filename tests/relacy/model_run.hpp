// Plays a Relacy suite under many schedules and tells how many there were.
#pragma once

#include "model_std.hpp"

#include <cstdio>
#include <cstdlib>
#include <ostream>

namespace model {

/// From `begin` on memory is not Relacy's, which would try for each block that is freed whether it is used again.
inline void take_plain_memory(bool begin) {
  struct opened : rl::context {
    static int rl::context::*counter() { return &opened::disable_alloc_; }
  };
  rl::ctx().*opened::counter() += begin ? 1 : -1;
}

inline bool thorough() { return std::getenv("SPOOL_TEST_LONG") != nullptr; }

template <class Suite>
bool holds(const char* what, const char* when, rl::test_params params) {
  params.execution_depth_limit = 20'000;
  std::ostream nowhere(nullptr);
  params.progress_stream = &nowhere;
  const bool good = rl::simulate<Suite>(params);
  std::printf("%s, %s: %s, %ju schedules\n", what, when, good ? "holds" : "FAILS",
              static_cast<std::uintmax_t>(params.stop_iteration));
  return good;
}

/// In all schedules with at most two switches that are not forced.
template <class Suite>
bool holds_always(const char* what) {
  rl::test_params params;
  params.search_type = rl::sched_bound;
  params.context_bound = 2;
  params.iteration_count = 1'000'000'000;  // none ends here
  return holds<Suite>(what, "at most 2 switches", params);
}

template <class Suite>
bool holds_at_random(const char* what, rl::iteration_t schedules = 100'000) {
  rl::test_params params;
  params.search_type = rl::sched_random;
  params.iteration_count = thorough() ? 1'000'000 : schedules;
  return holds<Suite>(what, "random", params);
}

}  // namespace model

// The one of the operators that Relacy leaves to the C++ library, whose memory its delete would not know.
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return ::operator new[](bytes); }
