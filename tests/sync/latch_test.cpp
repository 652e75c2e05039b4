#include <spool/sync/latch.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/sync/wait_group.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace {

using namespace std::chrono_literals;
using spool::context;
using spool::latch;

class Latch : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Latch);

TEST_P(Latch, OpensAfterTheLastArrival) {
  run([] {
    latch l(3);
    std::atomic<int> arrived{0};
    for (int i = 0; i < 3; ++i) {
      spool::go([&] {
        ++arrived;
        l.count_down();
      });
    }
    l.wait();
    EXPECT_EQ(arrived, 3);
    EXPECT_TRUE(l.try_wait());
    l.wait();
  });
}

TEST_P(Latch, StaysShutBeforeTheLastArrival) {
  run([] {
    latch l(2);
    EXPECT_FALSE(l.try_wait());
    l.count_down();
    EXPECT_FALSE(l.try_wait());
    EXPECT_FALSE(l.wait_for(1ms));
    l.count_down();
    EXPECT_TRUE(l.try_wait());
    EXPECT_TRUE(l.wait_for(0ms));
  });
}

TEST_P(Latch, CountsDownBySeveral) {
  run([] {
    latch l(5);
    l.count_down(0);
    l.count_down(5);
    l.wait();
  });
}

TEST_P(Latch, OfZeroIsOpen) {
  run([] {
    latch l(0);
    EXPECT_TRUE(l.try_wait());
    l.wait();
  });
}

TEST(LatchMisuse, NegativeCountsAndTooManyArrivalsThrow) {
  EXPECT_THROW(latch(-1), std::logic_error);
  latch l(1);
  EXPECT_THROW(l.count_down(-1), std::logic_error);
  EXPECT_THROW(l.count_down(2), std::logic_error);
  l.count_down();
  EXPECT_THROW(l.count_down(), std::logic_error);
  EXPECT_TRUE(l.try_wait());
}

TEST_P(Latch, ArriveAndWaitIsABarrierForOneRound) {
  std::atomic<int> arrived{0};
  run([&] {
    latch l(6);
    spool::wait_group all;
    for (int i = 0; i < 6; ++i) {
      all.go([&] {
        ++arrived;
        l.arrive_and_wait();
        EXPECT_EQ(arrived, 6);
      });
    }
    all.wait();
  });
}

TEST_P(Latch, ContextEndsTheWaitAndWinsWhenDone) {
  run([] {
    latch l(1);
    auto scope = spool::with_timeout(context::background(), 1ms);
    EXPECT_EQ(l.wait(scope.ctx()), spool::errc::deadline_exceeded);
    l.count_down();
    EXPECT_EQ(l.wait(scope.ctx()), spool::errc::deadline_exceeded);
    EXPECT_FALSE(l.wait(context::background()));
  });
}

TEST_P(Latch, PlainThreadOpensItForFibers) {
  latch l(1);
  std::thread opener;
  run([&] {
    spool::wait_group all;
    for (int i = 0; i < 4; ++i) all.go([&] { l.wait(); });
    opener = std::thread([&] { l.count_down(); });
    all.wait();
  });
  opener.join();
}

TEST_P(Latch, MayBeDestroyedByItsWaiterWhileCountDownIsRunning) {
  run([] {
    for (int i = 0; i < 2000; ++i) {
      auto* l = new latch(1);
      spool::go([l] { l->count_down(); });
      if (i % 3 == 0) {
        while (!l->try_wait()) {
        }
      } else {
        l->wait();
      }
      delete l;
    }
  });
}

}  // namespace
