#include <spool/channel/timer.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/sync/wait_group.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::after;
using spool::ticker;
using spool::timer;
using time_point = std::chrono::steady_clock::time_point;

class Timer : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Timer);

class Ticker : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Ticker);

time_point now() { return std::chrono::steady_clock::now(); }

TEST_P(Timer, DeliversTheTimeNoEarlierThanAsked) {
  run([] {
    const time_point start = now();
    timer t(5ms);
    const std::optional<time_point> fired = t.c().recv();
    ASSERT_TRUE(fired);
    EXPECT_GE(*fired, start + 5ms);
    EXPECT_LE(*fired, now());
  });
}

TEST_P(Timer, FiresOnce) {
  run([] {
    timer t(1ms);
    EXPECT_TRUE(t.c().recv());
    EXPECT_EQ(t.c().recv_for(5ms).error(), spool::errc::deadline_exceeded);
    EXPECT_FALSE(t.c().closed());
  });
}

TEST_P(Timer, DurationThatIsNotPositiveFiresAtOnce) {
  run([] {
    timer zero(0s);
    timer negative(-1h);
    EXPECT_TRUE(zero.c().recv());
    EXPECT_TRUE(negative.c().recv());
  });
}

TEST_P(Timer, EndlessDurationNeverFiresButCanBeStopped) {
  run([] {
    timer t(std::chrono::hours::max());
    EXPECT_EQ(t.c().try_recv().error(), spool::errc::empty);
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop());
  });
}

TEST_P(Timer, StopBeforeItFiresPreventsIt) {
  run([] {
    timer t(1h);
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop());
    EXPECT_EQ(t.c().recv_for(2ms).error(), spool::errc::deadline_exceeded);
  });
}

TEST_P(Timer, StopTakesBackAValueThatNobodyReceived) {
  run([] {
    timer t(0s);
    auto rx = t.c();
    spool_test::wait_until([&] { return rx.size() == 1; });
    EXPECT_TRUE(t.stop());
    EXPECT_EQ(rx.try_recv().error(), spool::errc::empty);
  });
}

TEST_P(Timer, StopAfterTheValueWasReceivedReportsFalse) {
  run([] {
    timer t(0s);
    EXPECT_TRUE(t.c().recv());
    EXPECT_FALSE(t.stop());
  });
}

TEST_P(Timer, ResetTakesBackAnOldValueAndFiresAnew) {
  run([] {
    timer t(0s);
    auto rx = t.c();
    spool_test::wait_until([&] { return rx.size() == 1; });
    t.reset(1h);
    EXPECT_EQ(rx.try_recv().error(), spool::errc::empty);
    const time_point again = now();
    t.reset(2ms);
    EXPECT_GE(rx.recv().value(), again + 2ms);
  });
}

TEST_P(Timer, ResetOfAStoppedOneFires) {
  run([] {
    timer t(1h);
    EXPECT_TRUE(t.stop());
    t.reset(1ms);
    EXPECT_TRUE(t.c().recv());
  });
}

// The firing may be on its way when stop comes. Whatever the race, nothing old is received after stop or reset.
TEST_P(Timer, NothingStaleIsReceivedAfterStopOrReset) {
  run([] {
    int stopped_in_time = 0;
    for (int i = 0; i < 500; ++i) {
      timer t(std::chrono::microseconds(i % 60));
      auto rx = t.c();
      for (int n = 0; n < i % 7; ++n) spool::this_fiber::yield();
      if (t.stop()) ++stopped_in_time;
      ASSERT_EQ(rx.try_recv().error(), spool::errc::empty);
      const time_point again = now();
      t.reset(10us);
      ASSERT_GE(rx.recv().value(), again + 10us);
      ASSERT_EQ(rx.try_recv().error(), spool::errc::empty);
    }
    EXPECT_GT(stopped_in_time, 0);
  });
}

TEST_P(Timer, ConcurrentResetsLeaveExactlyOneSetting) {
  run([] {
    timer t(1h);
    spool::wait_group all;
    for (int f = 0; f < 6; ++f) {
      all.go([&, f] {
        for (int i = 0; i < 100; ++i) {
          t.reset(std::chrono::microseconds((f * 17 + i) % 50));
          if (i % 8 == 0) (void)t.stop();
          if (i % 4 == 0) spool::this_fiber::yield();
        }
      });
    }
    all.wait();
    t.reset(1ms);
    EXPECT_TRUE(t.c().recv());
    EXPECT_EQ(t.c().recv_for(3ms).error(), spool::errc::deadline_exceeded);
  });
}

TEST_P(Timer, DestroyedWhileFiringIsSafe) {
  run([] {
    for (int i = 0; i < 1000; ++i) {
      auto t = std::make_unique<timer>(std::chrono::microseconds(i % 5));
      auto rx = t->c();
      if (i % 2 == 0) spool::this_fiber::yield();
      t.reset();
      ASSERT_EQ(rx.try_recv().error(), spool::errc::empty);
    }
  });
}

TEST_P(Timer, AfterDeliversOnceAndNeedsNoOwner) {
  run([] {
    const time_point start = now();
    auto rx = after(2ms);
    EXPECT_GE(rx.recv().value(), start + 2ms);
    (void)after(1us);  // nobody listens
    EXPECT_EQ(rx.recv_for(3ms).error(), spool::errc::deadline_exceeded);
  });
}

TEST(TimerOnThreads, WorksWithoutARuntime) {
  const time_point start = now();
  timer t(2ms);
  EXPECT_GE(t.c().recv().value(), start + 2ms);
  EXPECT_TRUE(after(1ms).recv());
  ticker k(1ms);
  EXPECT_TRUE(k.c().recv());
  EXPECT_TRUE(k.c().recv());
}

TEST(TimerOnThreads, OutlivesTheRuntimeThatArmedIt) {
  std::optional<spool::receiver<time_point>> rx;
  std::optional<timer> t;
  spool::run([&] {
    rx = after(5ms);
    t.emplace(5ms);
  });
  EXPECT_TRUE(rx->recv());
  EXPECT_TRUE(t->c().recv());
}

TEST_P(Ticker, TicksAgainAndAgainInRhythm) {
  run([] {
    const time_point start = now();
    ticker k(1ms);
    auto rx = k.c();
    for (int i = 1; i <= 5; ++i) EXPECT_GE(rx.recv().value(), start + i * 1ms);
  });
}

TEST_P(Ticker, DropsTicksForASlowReceiver) {
  run([] {
    ticker k(1ms);
    auto rx = k.c();
    spool_test::wait_until([&] { return rx.size() == 1; });
    spool::this_fiber::sleep_for(10ms);
    EXPECT_EQ(rx.size(), 1U) << "ten ticks did not pile up";
    EXPECT_TRUE(rx.try_recv());
    EXPECT_TRUE(rx.recv()) << "and it still ticks";
  });
}

TEST_P(Ticker, StopTakesBackTheUnreceivedTickAndEndsThem) {
  run([] {
    ticker k(1ms);
    auto rx = k.c();
    spool_test::wait_until([&] { return rx.size() == 1; });
    k.stop();
    EXPECT_EQ(rx.recv_for(4ms).error(), spool::errc::deadline_exceeded);
    EXPECT_FALSE(rx.closed());
    k.stop();
  });
}

TEST_P(Ticker, ResetChangesThePeriodAndDropsTheOldTick) {
  run([] {
    ticker k(1ms);
    auto rx = k.c();
    spool_test::wait_until([&] { return rx.size() == 1; });
    k.reset(1h);
    EXPECT_EQ(rx.recv_for(4ms).error(), spool::errc::deadline_exceeded);
    const time_point again = now();
    k.reset(2ms);
    EXPECT_GE(rx.recv().value(), again + 2ms);
    EXPECT_GE(rx.recv().value(), again + 4ms);
  });
}

TEST(TickerMisuse, PeriodThatIsNotPositiveThrows) {
  EXPECT_THROW(ticker(0ms), std::invalid_argument);
  EXPECT_THROW(ticker(-1ms), std::invalid_argument);
  ticker k(1h);
  EXPECT_THROW(k.reset(0s), std::logic_error);
  EXPECT_EQ(k.c().try_recv().error(), spool::errc::empty);
}

TEST_P(Ticker, StoppingRacesWithTicks) {
  run([] {
    for (int i = 0; i < 300; ++i) {
      ticker k(std::chrono::microseconds(1 + i % 20));
      auto rx = k.c();
      if (i % 3 != 0) {
        EXPECT_TRUE(rx.recv());
      }
      k.stop();
      ASSERT_EQ(rx.try_recv().error(), spool::errc::empty);
    }
  });
}

}  // namespace
