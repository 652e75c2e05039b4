// Suites that run over 1, 2, 4 and 8 worker threads, and a watch on what they leave behind.
#pragma once

#include <spool/spool.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>

namespace spool_test {

/// Base of a suite whose tests run once per number of workers.
class WithWorkers : public testing::TestWithParam<std::size_t> {
 protected:
  static spool::runtime_options options() { return {.threads = GetParam()}; }

  /// Runs f as the main fiber of a runtime of its own; every fiber it starts has ended when this returns.
  template <class F>
  auto run(F&& f) {
    spool::runtime rt(options());
    return rt.run(std::forward<F>(f));
  }
};

/// Yields until `condition` holds; for states that no primitive announces ("the other fiber is parked by now").
template <class Condition>
void wait_until(Condition condition) {
  while (!condition()) spool::this_fiber::yield();
}

}  // namespace spool_test

#define SPOOL_INSTANTIATE_WORKERS(Suite)                                              \
  INSTANTIATE_TEST_SUITE_P(Workers, Suite, testing::Values(1, 2, 4, 8),               \
                           [](const testing::TestParamInfo<std::size_t>& workers) {   \
                             return std::to_string(workers.param);                       \
                           })
