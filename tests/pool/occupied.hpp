// Pools whose workers and queue are full of jobs that end when the test says so.
#pragma once

#include "support/runtimes.hpp"

#include <cstddef>

namespace spool_test {

class WithOccupiedPools : public WithWorkers {
 protected:
  spool::channel<int> gate;  // a job ends for each value, all when it is closed

  void occupy(spool::worker_pool& pool, std::size_t jobs) {
    for (std::size_t i = 0; i < jobs; ++i) {
      ASSERT_EQ(pool.post([gate = gate] { (void)gate.recv(); }), spool::channel_status::ok);
    }
  }
};

}  // namespace spool_test
