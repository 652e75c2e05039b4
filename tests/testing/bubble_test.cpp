#include <spool/testing/bubble.hpp>

#include <spool/net/io_context.hpp>
#include <spool/spool.hpp>

#include <support/sanitized.hpp>

#include <boost/fiber/mutex.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool::testing::run_in_bubble;
using spool::testing::schedule_failure;

TEST(Bubble, ReturnsWhatTheFunctionDoes) {
  EXPECT_EQ(run_in_bubble([] { return 42; }), 42);
  EXPECT_THROW(run_in_bubble([] { throw std::out_of_range("x"); }), std::out_of_range);
}

TEST(Bubble, AnHourEndsAtOnceAndReadsAsAnHour) {
  const auto real = std::chrono::steady_clock::now();
  run_in_bubble([] {
    const auto began = this_fiber::now();
    this_fiber::sleep_for(1h);
    EXPECT_EQ(this_fiber::now() - began, 1h);
  });
  EXPECT_LT(std::chrono::steady_clock::now() - real, 30min);
}

TEST(Bubble, TimeStandsWhileAFiberRuns) {
  run_in_bubble([] {
    const auto began = this_fiber::now();
    const auto real = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - real < 2ms) this_fiber::yield();
    EXPECT_EQ(this_fiber::now(), began);
  });
}

TEST(Bubble, TimersFireInOrder) {
  run_in_bubble([] {
    const auto began = this_fiber::now();
    std::vector<int> order;
    wait_group all;
    for (const int minutes : {7, 1, 9, 3, 5}) {
      all.go([&, minutes] {
        this_fiber::sleep_for(std::chrono::minutes(minutes));
        EXPECT_EQ(this_fiber::now() - began, std::chrono::minutes(minutes));
        order.push_back(minutes);
      });
    }
    all.wait();
    EXPECT_EQ(order, (std::vector<int>{1, 3, 5, 7, 9}));
  });
}

TEST(Bubble, TickersTick) {
  run_in_bubble([] {
    const auto began = this_fiber::now();
    ticker every(1min);
    for (int i = 1; i <= 60; ++i) EXPECT_EQ(*every.c().recv() - began, std::chrono::minutes(i));
    timer once(90s);
    EXPECT_EQ(*once.c().recv() - began, 1h + 90s);
  });
}

TEST(Bubble, ATickerThatOutlivesItTicksOnceItIsResetOutside) {
  std::unique_ptr<ticker> every;
  run_in_bubble([&] { every = std::make_unique<ticker>(1min); });
  every->reset(1ms);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(every->c().recv_for(10s));
}

TEST(Bubble, ATimerThatOutlivesItFiresNoMore) {
  std::unique_ptr<timer> once;
  run_in_bubble([&] { once = std::make_unique<timer>(1ms); });
  EXPECT_FALSE(once->c().recv_for(20ms));
  EXPECT_FALSE(once->stop());
  run_in_bubble([&] {
    once->reset(1h);
    EXPECT_TRUE(once->c().recv());
  });
}

TEST(Bubble, DeadlinesPass) {
  run_in_bubble([] {
    const auto began = this_fiber::now();
    auto [ctx, cancel] = with_timeout(context::background(), 2h);
    EXPECT_EQ(ctx.deadline().value() - began, 2h);
    channel<int> never;
    EXPECT_EQ(never.recv(ctx).error(), errc::deadline_exceeded);
    EXPECT_EQ(this_fiber::now() - began, 2h);
    EXPECT_EQ(never.recv_for(30s).error(), errc::deadline_exceeded);
    EXPECT_EQ(this_fiber::now() - began, 2h + 30s);
    const std::size_t chosen = select(on_recv(never, [](std::optional<int>) {}), on_timeout(10s, [] {}));
    EXPECT_EQ(chosen, 1u);
    EXPECT_EQ(this_fiber::now() - began, 2h + 40s);
  });
}

TEST(Bubble, AnAnswerJustInTimeBeatsItsDeadline) {
  run_in_bubble([] {
    auto [ctx, cancel] = with_timeout(context::background(), 10s);
    channel<int> answer;
    go([answer] {
      this_fiber::sleep_for(10s - 1ns);
      (void)answer.send(1);
    });
    EXPECT_EQ(answer.recv(ctx).value(), 1);
  });
}

TEST(Bubble, RetriesBackOffOnItsClock) {
  run_in_bubble([] {
    const auto began = this_fiber::now();
    int calls = 0;
    const error e = retry(context::background(), {.max_attempts = 4, .initial = 1s, .multiplier = 2.0, .jitter = 0}, [&] {
      ++calls;
      return error(errc::closed);
    });
    EXPECT_EQ(e, errc::closed);
    EXPECT_EQ(calls, 4);
    EXPECT_EQ(this_fiber::now() - began, 7s);
  });
}

TEST(Bubble, RateLimitersFillOnItsClock) {
  run_in_bubble([] {
    rate_limiter limiter({.per_second = 1, .burst = 1});
    const auto began = this_fiber::now();
    for (int i = 0; i < 61; ++i) EXPECT_FALSE(limiter.acquire(context::background()));
    EXPECT_GE(this_fiber::now() - began, 59s);
    EXPECT_LE(this_fiber::now() - began, 61s);
  });
}

TEST(Bubble, ErrgroupsPoolsAndPipelinesRunInIt) {
  run_in_bubble([] {
    errgroup group;
    for (int i = 0; i < 10; ++i) group.go([i] { this_fiber::sleep_for(std::chrono::seconds(i)); });
    EXPECT_FALSE(group.wait());

    worker_pool pool({.workers = 2, .queue_capacity = 10});
    const auto began = this_fiber::now();
    std::vector<future<int>> results;
    for (int i = 0; i < 10; ++i) {
      results.push_back(pool.submit([i] {
        this_fiber::sleep_for(1s);
        return i;
      }));
    }
    for (int i = 0; i < 10; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), i);
    EXPECT_EQ(this_fiber::now() - began, 5s);

    pipeline p(context::background(), {.name = "p"});
    receiver<int> in = p.source<int>({.name = "in"}, [](const context&, sender<int> out) -> error {
      for (int i = 0; i < 100; ++i) (void)out.send(i);
      return {};
    });
    receiver<int> twice = p.stage(in, {.name = "twice", .workers = 3, .ordered = true}, [](const context&, int i) -> result<int> {
      this_fiber::sleep_for(std::chrono::milliseconds(i % 7));
      return 2 * i;
    });
    int next = 0;
    p.sink(twice, {.name = "out"}, [&next](const context&, int i) -> error {
      EXPECT_EQ(i, 2 * next++);
      return {};
    });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(next, 100);
  });
}

TEST(Bubble, SettleWaitsUntilAllOthersWait) {
  run_in_bubble([] {
    int steps = 0;
    channel<int> c;
    go([&] {
      for (int i = 0; i < 100; ++i) {
        ++steps;
        this_fiber::yield();
      }
      (void)c.recv();
      ++steps;
      this_fiber::sleep_for(1s);
      ++steps;
    });
    const auto began = this_fiber::now();
    spool::testing::settle();
    EXPECT_EQ(steps, 100);
    (void)c.send(1);
    spool::testing::settle();
    EXPECT_EQ(steps, 101);
    EXPECT_EQ(this_fiber::now(), began);
    this_fiber::sleep_for(1s);
    spool::testing::settle();
    EXPECT_EQ(steps, 102);
  });
}

TEST(Bubble, SettleOutsideIsRefused) {
  EXPECT_THROW(spool::testing::settle(), std::logic_error);
  EXPECT_THROW(run([] { spool::testing::settle(); }), std::logic_error);
  EXPECT_THROW((void)spool::testing::seed(), std::logic_error);
}

TEST(Bubble, ABubbleInABubbleIsRefused) {
  run_in_bubble([] { EXPECT_THROW(run_in_bubble([] {}), std::logic_error); });
}

TEST(Bubble, ADeadlockNamesTheFibers) {
  try {
    run_in_bubble([] {
      this_fiber::set_name("main");
      channel<int> c;
      go([c] {
        this_fiber::set_name("helper");
        (void)c.recv();
      });
      mutex m;
      m.lock();
      m.lock();
    });
    FAIL() << "no deadlock";
  } catch (const schedule_failure& e) {
    EXPECT_EQ(e.how(), spool::testing::run_ending::deadlock);
    ASSERT_EQ(e.fibers().size(), 2u);
    const std::string what = e.what();
    EXPECT_NE(what.find("\"main\""), std::string::npos) << what;
    EXPECT_NE(what.find("\"helper\""), std::string::npos) << what;
    EXPECT_NE(what.find("bubble_test.cpp"), std::string::npos) << what;
    EXPECT_NE(what.find("mutex"), std::string::npos) << what;
    EXPECT_NE(what.find("channel recv"), std::string::npos) << what;
  }
}

TEST(Bubble, ALeakIsFound) {
  try {
    run_in_bubble([] {
      channel<int> c;
      go([c] { (void)c.recv(); });
    });
    FAIL() << "no leak";
  } catch (const schedule_failure& e) {
    EXPECT_EQ(e.how(), spool::testing::run_ending::leak);
    EXPECT_EQ(e.fibers().size(), 1u);
  }
}

TEST(Bubble, FibersThatTheRootContextEndsAreNotLeaked) {
  run_in_bubble([] {
    go([ctx = runtime::current()->root()] { ctx.wait(); });
    go([] { this_fiber::sleep_for(24h); });
  });
}

TEST(Bubble, AnExceptionThatLeavesAFiberIsAFailure) {
  try {
    run_in_bubble([] {
      go([] { throw std::out_of_range("far out"); });
      this_fiber::sleep_for(1s);
    });
    FAIL() << "no failure";
  } catch (const schedule_failure& e) {
    EXPECT_EQ(e.how(), spool::testing::run_ending::escaped);
    EXPECT_NE(std::string(e.what()).find("far out"), std::string::npos) << e.what();
    EXPECT_THROW(std::rethrow_exception(e.exception()), std::out_of_range);
  }
}

TEST(Bubble, AnEndlessRunEnds) {
  try {
    run_in_bubble({.longest = 10'000}, [] {
      go([] {
        for (;;) this_fiber::yield();
      });
      channel<int>().recv();
    });
    FAIL() << "no failure";
  } catch (const schedule_failure& e) {
    EXPECT_EQ(e.how(), spool::testing::run_ending::endless);
    EXPECT_EQ(e.fibers().size(), 2u);
  }
}

TEST(Bubble, ATickerThatWakesNobodyKeepsADeadlockNotForEver) {
  try {
    run_in_bubble({.longest = 10'000}, [] {
      const ticker t(1s);
      channel<int>().recv();
    });
    FAIL() << "no failure";
  } catch (const schedule_failure& e) {
    EXPECT_EQ(e.how(), spool::testing::run_ending::endless);
  }
}

TEST(Bubble, BlockingCallsHoldItUp) {
  run_in_bubble([] {
    const auto began = this_fiber::now();
    bool slept = false;
    go([&] {
      this_fiber::sleep_for(1ms);
      slept = true;
    });
    const auto thread = blocking([] {
      std::this_thread::sleep_for(20ms);
      return std::this_thread::get_id();
    });
    EXPECT_NE(thread, std::this_thread::get_id());
    EXPECT_FALSE(slept);
    EXPECT_EQ(this_fiber::now(), began);
    EXPECT_THROW(blocking([]() -> int { throw std::out_of_range("x"); }), std::out_of_range);
  });
}

TEST(Bubble, ABlockingCallMayWaitForAnotherFiber) {
  run_in_bubble([] {
    channel<int> c;
    go([c] { (void)c.send(1); });
    EXPECT_EQ(blocking([c] { return *c.recv(); }), 1);
  });
}

TEST(Bubble, TimeGoesAsTheRealOneWhileAThreadFromInsideWorks) {
  run_in_bubble([] {
    channel<int> c;
    const auto began = this_fiber::now();
    std::thread outside([c] {
      std::this_thread::sleep_for(30ms);
      (void)c.send(1);
    });
    EXPECT_EQ(c.recv_for(1h).value(), 1);
    const auto took = this_fiber::now() - began;
    EXPECT_GE(took, 25ms);
    EXPECT_LT(took, 1h);
    outside.join();
  });
}

TEST(Bubble, ADeadlockWithAThreadThatWaitsIsFound) {
  auto c = std::make_shared<channel<int>>();
  auto outside = std::make_shared<std::thread>();
  EXPECT_THROW(run_in_bubble([c, outside] {
                 *outside = std::thread([c] { (void)c->recv(); });
                 (void)channel<int>(*c).recv();
               }),
               schedule_failure);
  c->close();
  outside->join();
}

TEST(Bubble, ARuntimeInsideIsWaitedFor) {
  run_in_bubble([] {
    const int answer = spool::run([] {
      this_fiber::sleep_for(10ms);
      return 42;
    });
    EXPECT_EQ(answer, 42);
  });
}

TEST(Bubble, IoIsRefused) {
  run_in_bubble([] { EXPECT_THROW((void)io_context(), std::logic_error); });
}

TEST(Bubble, RunsOnAFiberOfAnotherRuntime) {
  spool::run([] {
    EXPECT_EQ(run_in_bubble([] {
                this_fiber::sleep_for(1h);
                return 1;
              }),
              1);
  });
}

TEST(Bubble, BoostPrimitivesWork) {
  run_in_bubble({.schedule = spool::testing::schedule::uniform}, [] {
    boost::fibers::mutex m;
    int count = 0;
    wait_group all;
    for (int i = 0; i < 4; ++i) {
      all.go([&] {
        for (int k = 0; k < 10; ++k) {
          m.lock();
          const int seen = count;
          this_fiber::yield();
          count = seen + 1;
          m.unlock();
        }
      });
    }
    all.wait();
    EXPECT_EQ(count, 40);
  });
}

TEST(Bubble, PinnedFibersRun) {
  run_in_bubble({.schedule = spool::testing::schedule::uniform}, [] {
    wait_group all;
    channel<int> c;
    for (int i = 0; i < 4; ++i) {
      all.go([c] {
        const this_fiber::pin here;
        (void)c.send(1);
        this_fiber::sleep_for(1s);
      });
      all.go([c] { (void)c.recv(); });
    }
    all.wait();
  });
}

TEST(Bubble, TimeOutsideIsReal) {
  run_in_bubble([] {
    this_fiber::sleep_for(100h);
    const auto outside = blocking([] { return this_fiber::now(); });
    EXPECT_GT(this_fiber::now() - outside, 99h);
  });
  EXPECT_LT(this_fiber::now() - std::chrono::steady_clock::now(), 1h);
}

TEST(Bubble, ManyFibersSleep) {
  run_in_bubble([] {
    constexpr int sleepers = spool_test::live_fibers(10'000);
    wait_group all;
    for (int i = 0; i < sleepers; ++i) all.go([i] { this_fiber::sleep_for(std::chrono::seconds(i % 100)); });
    all.wait();
  });
}

}  // namespace
