// A suite whose tests leave no fiber behind: none that still waits when the test's body has returned.
#pragma once

#include "support/runtimes.hpp"

#include <spool/pipeline/batch.hpp>
#include <spool/pipeline/fan_out.hpp>
#include <spool/pipeline/merge.hpp>
#include <spool/pipeline/parallel.hpp>
#include <spool/pipeline/pipeline.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace spool_test {

class Drained : public WithWorkers {
 protected:
  /// The end of a runtime abandons fibers that can never wake; here they keep the test from ending, and so fail it.
  template <class F>
  void run(F body) {
    WithWorkers::run([&body] {
      body();
      wait_until([] { return spool::fiber_count() == 1; });
    });
  }
};

/// Sends first, first + 1, …, last - 1, or until nobody receives.
inline auto counting(int first, int last) {
  return [first, last](const spool::context&, spool::sender<int> out) -> spool::error {
    for (int i = first; i < last && out.send(i); ++i) {
    }
    return {};
  };
}

/// Sends until nobody receives.
inline spool::error endless(const spool::context&, spool::sender<int> out) {
  for (int i = 0; out.send(i); ++i) {
  }
  return {};
}

template <class T>
std::vector<T> all_of(const spool::receiver<T>& from) {
  std::vector<T> items;
  while (std::optional<T> item = from.recv()) items.push_back(std::move(*item));
  return items;
}

inline spool::error named(const std::string& message) { return {make_error_code(spool::errc::full), message}; }

}  // namespace spool_test
