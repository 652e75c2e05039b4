#include <spool/sync/single_flight.hpp>

#include "../support/runtimes.hpp"

#include <spool/sync/future.hpp>
#include <spool/sync/latch.hpp>
#include <spool/sync/wait_group.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using spool::async;
using spool::single_flight;

class SingleFlight : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(SingleFlight);

TEST_P(SingleFlight, ConcurrentCallsForOneKeyShareOneExecution) {
  run([] {
    single_flight<std::string, int> flights;
    std::atomic<int> executions{0};
    std::atomic<int> calling{0};
    spool::wait_group all;
    for (int i = 0; i < 10; ++i) {
      all.go([&] {
        ++calling;
        const int v = flights.run("key", [&] {
          spool_test::wait_until([&] { return calling == 10; });
          for (int n = 0; n < 50; ++n) spool::this_fiber::yield();
          return ++executions;
        });
        EXPECT_GE(v, 1);
      });
    }
    all.wait();
    EXPECT_LT(executions, 10) << "nobody shared";
  });
}

TEST(SingleFlightOrder, JoinersGetTheOneExecution) {
  int executions = 0;
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    single_flight<int, std::string> flights;
    spool::latch go_on(1);
    auto leader = async([&] {
      return flights.run(1, [&] {
        go_on.wait();
        ++executions;
        return std::string("leader's");
      });
    });
    spool::this_fiber::yield();  // one worker: it is inside by now
    auto joiner = async([&] {
      return flights.run(1, [&] {
        ++executions;
        return std::string("joiner's");
      });
    });
    spool::this_fiber::yield();
    go_on.count_down();
    EXPECT_EQ(leader.get(), "leader's");
    EXPECT_EQ(joiner.get(), "leader's");
  });
  EXPECT_EQ(executions, 1);
}

TEST(SingleFlightOrder, DifferentKeysDoNotWaitForEachOther) {
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    single_flight<int, int> flights;
    spool::latch go_on(1);
    auto slow = async([&] {
      return flights.run(1, [&] {
        go_on.wait();
        return 1;
      });
    });
    spool::this_fiber::yield();
    EXPECT_EQ(flights.run(2, [] { return 2; }), 2);
    go_on.count_down();
    EXPECT_EQ(slow.get(), 1);
  });
}

TEST_P(SingleFlight, NextCallAfterTheEndExecutesAnew) {
  run([] {
    single_flight<int, int> flights;
    int n = 0;
    EXPECT_EQ(flights.run(1, [&] { return ++n; }), 1);
    EXPECT_EQ(flights.run(1, [&] { return ++n; }), 2);
  });
}

TEST(SingleFlightOrder, ExceptionReachesEveryCallerAndIsForgotten) {
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    single_flight<int, int> flights;
    spool::latch go_on(1);
    auto call = [&] {
      return flights.run(1, [&]() -> int {
        go_on.wait();
        throw std::out_of_range("shared");
      });
    };
    auto leader = async(call);
    spool::this_fiber::yield();
    auto joiner = async(call);
    spool::this_fiber::yield();
    go_on.count_down();
    EXPECT_THROW(leader.get(), std::out_of_range);
    EXPECT_THROW(joiner.get(), std::out_of_range);
    EXPECT_EQ(flights.run(1, [] { return 3; }), 3);
  });
}

TEST(SingleFlightOrder, ForgetStartsANewExecutionBesideTheOldOne) {
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    single_flight<int, int> flights;
    spool::latch go_on(1);
    auto old_call = async([&] {
      return flights.run(1, [&] {
        go_on.wait();
        return 1;
      });
    });
    spool::this_fiber::yield();
    flights.forget(1);
    auto new_call = async([&] {
      return flights.run(1, [&] {
        go_on.wait();
        return 2;
      });
    });
    spool::this_fiber::yield();
    go_on.count_down();
    EXPECT_EQ(old_call.get(), 1);
    EXPECT_EQ(new_call.get(), 2);
    flights.forget(99);
  });
}

TEST_P(SingleFlight, VoidWorks) {
  run([] {
    single_flight<int, void> flights;
    int effect = 0;
    flights.run(1, [&] { effect = 5; });
    EXPECT_EQ(effect, 5);
  });
}

TEST_P(SingleFlight, PlainThreadsJoinFibers) {
  single_flight<int, int> flights;
  std::atomic<int> executions{0};
  std::atomic<int> calls{0};
  auto work = [&] {
    for (int i = 0; i < 300; ++i) {
      const int v = flights.run(i % 3, [&] {
        ++executions;
        return i % 3;
      });
      EXPECT_EQ(v, i % 3);
      ++calls;
    }
  };
  std::thread one(work);
  std::thread two(work);
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 4; ++f) all.go(work);
    all.wait();
  });
  one.join();
  two.join();
  EXPECT_EQ(calls, 1800);
  EXPECT_LE(executions, 1800);
  EXPECT_GE(executions, 3);
}

TEST_P(SingleFlight, MayBeDestroyedByAJoinerWhoseLeaderIsLeaving) {
  run([] {
    for (int i = 0; i < 1000; ++i) {
      auto* flights = new single_flight<int, int>;
      spool::latch inside(1);
      std::atomic<bool> joining{false};
      auto leader = async([&, flights] {
        return flights->run(1, [&] {
          inside.count_down();
          spool_test::wait_until([&] { return joining.load(); });
          return 1;
        });
      });
      inside.wait();
      joining = true;
      (void)flights->run(1, [] { return 2; });
      // The leader left the map before it made its result ready; it does not touch the object afterwards, unless this
      // call came too late to join. Then the leader is out as well.
      delete flights;
      (void)leader.get();
    }
  });
}

}  // namespace
