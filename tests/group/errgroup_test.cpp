// errgroup: the rules of Go's x/sync/errgroup, case by case.
#include <support/runtimes.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

error named(const std::string& message) { return {make_error_code(errc::closed), message}; }

class Errgroup : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Errgroup);

TEST_P(Errgroup, WaitsForAll) {
  run([] {
    std::atomic<int> ended = 0;
    errgroup group;
    for (int i = 0; i < 100; ++i) {
      group.go([&] {
        this_fiber::yield();
        ++ended;
      });
    }
    EXPECT_FALSE(group.wait());
    EXPECT_EQ(ended, 100);
  });
}

TEST_P(Errgroup, WithoutFibersWaitReturnsAtOnce) {
  run([] {
    errgroup group;
    EXPECT_FALSE(group.wait());
  });
}

TEST_P(Errgroup, ReportsTheFirstErrorAfterAllHaveEnded) {
  run([] {
    std::atomic<bool> failed = false;
    std::atomic<int> ended = 0;
    errgroup group;
    for (int i = 0; i < 20; ++i) {
      group.go([&]() -> error {
        spool_test::wait_until([&] { return failed.load(); });
        group.context().wait();
        ++ended;
        return named("later");
      });
    }
    group.go([&]() -> error {
      failed = true;
      return named("first");
    });
    const error e = group.wait();
    EXPECT_EQ(e.message(), "first");
    EXPECT_EQ(ended, 20);
  });
}

TEST_P(Errgroup, FirstErrorCancelsTheContextWithItAsCause) {
  run([] {
    errgroup group;
    const context ctx = group.context();
    EXPECT_FALSE(ctx.done());
    group.go([]() -> error { return named("cause"); });
    ctx.wait();
    EXPECT_EQ(ctx.err(), errc::canceled);
    EXPECT_EQ(ctx.cause().message(), "cause");
    EXPECT_EQ(group.wait().message(), "cause");
  });
}

TEST_P(Errgroup, ContextIsDoneWhenWaitReturns) {
  run([] {
    errgroup group;
    group.go([] {});
    const context ctx = group.context();
    EXPECT_FALSE(group.wait());
    EXPECT_EQ(ctx.err(), errc::canceled);
    EXPECT_EQ(ctx.cause(), errc::canceled);
  });
}

TEST_P(Errgroup, SuccessDoesNotCancel) {
  run([] {
    errgroup group;
    std::atomic<bool> ended = false;
    group.go([&] { ended = true; });
    spool_test::wait_until([&] { return ended.load(); });
    this_fiber::yield();
    EXPECT_FALSE(group.context().done());
    EXPECT_FALSE(group.wait());
  });
}

TEST_P(Errgroup, ContextIsDerivedFromTheParent) {
  run([] {
    const context_key<int> key("n");
    const cancel_scope parent = with_cancel(with_value(context::background(), key, 7));
    errgroup group(parent.ctx());
    EXPECT_EQ(*group.context().value(key), 7);
    std::atomic<int> stopped = 0;
    for (int i = 0; i < 10; ++i) {
      group.go([&] {
        group.context().wait();
        ++stopped;
      });
    }
    parent.cancel(named("from above"));
    EXPECT_FALSE(group.wait()) << "a parent's end is no error of the group";
    EXPECT_EQ(stopped, 10);
    EXPECT_EQ(group.context().cause().message(), "from above");
  });
}

TEST_P(Errgroup, AnExceptionIsAnError) {
  run([] {
    errgroup group;
    group.go([] { throw std::runtime_error("boom"); });
    const error e = group.wait();
    EXPECT_EQ(e.message(), "boom");
    EXPECT_THROW(e.rethrow(), std::runtime_error);
    EXPECT_EQ(group.context().cause().message(), "boom");
  });
}

TEST_P(Errgroup, AnExceptionOfAnyTypeIsAnError) {
  run([] {
    errgroup group;
    group.go([] { throw 42; });
    const error e = group.wait();
    ASSERT_TRUE(e);
    EXPECT_THROW(e.rethrow(), int);
  });
}

TEST_P(Errgroup, AcceptsEveryResultThatMeansAnError) {
  run([] {
    const auto outcome_of = [](auto f) {
      errgroup group;
      group.go(f);
      return group.wait();
    };
    EXPECT_FALSE(outcome_of([] {}));
    EXPECT_FALSE(outcome_of([] { return error(); }));
    EXPECT_EQ(outcome_of([] { return error(errc::full); }), errc::full);
    EXPECT_EQ(outcome_of([] { return errc::empty; }), errc::empty);
    EXPECT_FALSE(outcome_of([] { return std::error_code(); }));
    EXPECT_EQ(outcome_of([] { return std::make_error_code(std::errc::io_error); }), std::errc::io_error);
    EXPECT_FALSE(outcome_of([]() -> result<int> { return 3; }));
    EXPECT_EQ(outcome_of([]() -> result<int> { return errc::closed; }), errc::closed);
    EXPECT_EQ(outcome_of([]() -> result<void> { return errc::closed; }), errc::closed);
  });
}

TEST_P(Errgroup, FibersMayStartFurtherOnes) {
  run([] {
    std::atomic<int> ended = 0;
    errgroup group;
    for (int i = 0; i < 10; ++i) {
      group.go([&] {
        for (int k = 0; k < 10; ++k) {
          group.go([&] { ++ended; });
        }
      });
    }
    EXPECT_FALSE(group.wait());
    EXPECT_EQ(ended, 100);
  });
}

TEST_P(Errgroup, DestructorCancelsAndWaits) {
  run([] {
    std::atomic<int> ended = 0;
    {
      errgroup group;
      for (int i = 0; i < 10; ++i) {
        group.go([&ended, ctx = group.context()] {
          ctx.wait();
          this_fiber::yield();
          ++ended;
        });
      }
    }
    EXPECT_EQ(ended, 10);
  });
}

TEST_P(Errgroup, MayBeUsedAgainAndKeepsTheFirstError) {
  run([] {
    errgroup group;
    group.go([]() -> error { return named("first round"); });
    EXPECT_EQ(group.wait().message(), "first round");
    std::atomic<bool> ran = false;
    group.go([&] { ran = true; });
    group.go([]() -> error { return named("second round"); });
    EXPECT_EQ(group.wait().message(), "first round");
    EXPECT_TRUE(ran);
    EXPECT_TRUE(group.context().done());
  });
}

TEST_P(Errgroup, SeveralMayWait) {
  run([] {
    errgroup group;
    std::atomic<bool> release = false;
    std::atomic<int> got = 0;
    group.go([&]() -> error {
      spool_test::wait_until([&] { return release.load(); });
      return named("x");
    });
    for (int i = 0; i < 4; ++i) {
      spool::go([&] {
        if (group.wait().message() == "x") ++got;
      });
    }
    release = true;
    EXPECT_EQ(group.wait().message(), "x");
    spool_test::wait_until([&] { return got == 4; });
  });
}

TEST_P(Errgroup, APlainThreadMayWait) {
  std::atomic<bool> release = false;
  run([&] {
    errgroup group;
    group.go([&]() -> error {
      spool_test::wait_until([&] { return release.load(); });
      return named("seen outside");
    });
    std::atomic<bool> joined = false;
    std::thread outside([&] {
      release = true;
      EXPECT_EQ(group.wait().message(), "seen outside");
      joined = true;
    });
    spool_test::wait_until([&] { return joined.load(); });
    outside.join();
  });
}

TEST_P(Errgroup, WhatAFunctionHoldsIsGoneWhenWaitReturns) {
  run([] {
    for (int round = 0; round < 100; ++round) {
      const auto held = std::make_shared<int>(1);
      errgroup group;
      for (int i = 0; i < 4; ++i) group.go([held] { this_fiber::yield(); });
      EXPECT_FALSE(group.wait());
      ASSERT_EQ(held.use_count(), 1);
    }
  });
}

TEST_P(Errgroup, MayBeDestroyedAsSoonAsWaitHasReturned) {
  run([] {
    for (int round = 0; round < 2'000; ++round) {
      auto group = std::make_unique<errgroup>();
      group->go([] {});
      if (round % 2 == 0) group->go([]() -> error { return errc::closed; });
      (void)group->wait();
      group.reset();
    }
  });
}

TEST_P(Errgroup, TakesMoveOnlyFunctionsAndNamedOnes) {
  run([] {
    std::atomic<int> sum = 0;
    const auto add_one = [&sum] { sum += 1; };
    errgroup group;
    group.go([&sum, p = std::make_unique<int>(10)] { sum += *p; });
    group.go(add_one);
    EXPECT_FALSE(group.wait());
    EXPECT_EQ(sum, 11);
  });
}

TEST_P(Errgroup, ManyErrorsAtOnceGiveOne) {
  run([] {
    errgroup group;
    for (int i = 0; i < 200; ++i) group.go([i]() -> error { return named(std::to_string(i)); });
    const std::string message = group.wait().message();
    EXPECT_EQ(group.context().cause().message(), message);
    EXPECT_EQ(group.wait().message(), message);
  });
}

TEST(ErrgroupOnAPlainThread, RefusesToStartAFiber) {
  errgroup group;
  EXPECT_THROW(group.go([] {}), std::logic_error);
  EXPECT_THROW((void)group.try_go([] {}), std::logic_error);
  EXPECT_FALSE(group.wait());
}

}  // namespace
