// How a pipeline ends early: errors, cancellation, receivers that go.
#include "drained.hpp"

#include <atomic>
#include <stdexcept>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool_test::all_of;
using spool_test::counting;
using spool_test::endless;
using spool_test::named;
using spool_test::wait_until;

class PipelineEnd : public spool_test::Drained {};
SPOOL_INSTANTIATE_WORKERS(PipelineEnd);

TEST_P(PipelineEnd, AnErrorInTheSinkEndsEverything) {
  run([] {
    std::atomic<bool> source_ended = false;
    pipeline p;
    auto in = p.source<int>({.capacity = 2}, [&](const context& ctx, sender<int> out) {
      const error e = endless(ctx, std::move(out));
      source_ended = true;
      return e;
    });
    auto same = p.stage(in, {.workers = 4, .capacity = 2}, [](int v) { return v; });
    p.sink(same, {}, [n = 0](int) mutable { return ++n == 50 ? named("fifty") : error(); });
    EXPECT_EQ(p.wait().message(), "fifty");
    EXPECT_TRUE(source_ended);
    EXPECT_EQ(p.context().cause().message(), "fifty");
  });
}

TEST_P(PipelineEnd, AnErrorInAStageEndsEverything) {
  run([] {
    pipeline p;
    auto in = p.source<int>({.capacity = 1}, endless);
    auto failing = p.stage(in, {.workers = 3}, [](const context&, int v) -> result<int> {
      if (v == 20) return named("twenty");
      return v;
    });
    p.sink(failing, {}, [](int) {});
    EXPECT_EQ(p.wait().message(), "twenty");
  });
}

TEST_P(PipelineEnd, AnErrorOfTheSourceEndsEverything) {
  run([] {
    pipeline p;
    auto other = p.source<int>({}, endless);
    auto in = p.source<int>({}, [](sender<int>) -> error { return named("no file"); });
    p.sink(other, {.workers = 2}, [](int) {});
    p.sink(in, {}, [](int) {});
    EXPECT_EQ(p.wait().message(), "no file");
  });
}

TEST_P(PipelineEnd, ExceptionsAreErrors) {
  run([] {
    {
      pipeline p;
      auto in = p.source<int>({}, [](sender<int>) { throw std::runtime_error("source"); });
      const error e = p.wait();
      EXPECT_EQ(e.message(), "source");
      EXPECT_THROW(e.rethrow(), std::runtime_error);
    }
    {
      pipeline p;
      auto in = p.source<int>({}, endless);
      auto out = p.stage(in, {.workers = 2}, [](int) -> int { throw std::runtime_error("stage"); });
      EXPECT_EQ(p.wait().message(), "stage");
    }
    {
      pipeline p;
      auto in = p.source<int>({}, endless);
      p.sink(in, {}, [](int) { throw 42; });
      EXPECT_THROW(p.wait().rethrow(), int);
    }
  });
}

TEST_P(PipelineEnd, TheFirstErrorCounts) {
  run([] {
    std::atomic<bool> failed = false;
    pipeline p;
    auto slow = p.source<int>({}, [&](const context& ctx, sender<int>) -> error {
      ctx.wait();
      return named("later");
    });
    auto in = p.source<int>({}, endless);
    p.sink(in, {.workers = 4}, [&](const context& ctx, int) -> error {
      if (!failed.exchange(true)) return named("first");
      ctx.wait();
      return named("later");
    });
    EXPECT_EQ(p.wait().message(), "first");
  });
}

TEST_P(PipelineEnd, NothingIsBegunAfterTheError) {
  run([] {
    std::atomic<int> calls = 0;
    pipeline p;
    auto in = p.source<int>({.capacity = 100}, counting(0, 100));
    p.sink(in, {}, [&](int v) -> error {
      ++calls;
      return v == 3 ? named("three") : error();
    });
    EXPECT_EQ(p.wait().message(), "three");
    EXPECT_EQ(calls, 4);
  });
}

TEST_P(PipelineEnd, CancellationOfTheParentIsItsError) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    std::atomic<int> seen = 0;
    pipeline p{scope.ctx()};
    auto in = p.source<int>({.capacity = 3}, endless);
    auto plain = p.stage(in, {.workers = 2, .capacity = 3}, [](int v) { return v; });
    auto ordered = p.stage(plain, {.workers = 3, .capacity = 3, .ordered = true}, [](int v) { return v; });
    p.sink(ordered, {.workers = 2}, [&](int) { ++seen; });
    wait_until([&] { return seen > 100; });
    scope.cancel(named("enough"));
    EXPECT_EQ(p.wait(), errc::canceled);
    EXPECT_EQ(p.context().cause().message(), "enough");
  });
}

TEST_P(PipelineEnd, CancellationReachesWhoWaitsOnAnInputThatStaysSilent) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    const channel<int> silent(1);
    auto [tx, rx] = make_channel<int>();
    pipeline p{scope.ctx()};
    p.sink(silent, {.workers = 2}, [](int) {});
    auto out = p.stage(rx, {.workers = 2, .ordered = true}, [](int v) { return v; });
    for (int i = 0; i < 20; ++i) this_fiber::yield();
    scope.cancel();
    EXPECT_EQ(p.wait(), errc::canceled);
    EXPECT_FALSE(silent.send(1)) << "handed over: its senders must not wait for ever";
    EXPECT_FALSE(tx.send(1));
  });
}

TEST_P(PipelineEnd, TheParentsDeadlineIsItsError) {
  run([] {
    const cancel_scope scope = with_timeout(context::background(), 5ms);
    pipeline p{scope.ctx()};
    auto in = p.source<int>({}, endless);
    p.sink(in, {}, [](int) {});
    EXPECT_EQ(p.wait(), errc::deadline_exceeded);
  });
}

TEST_P(PipelineEnd, TheParentsEndWinsOverWhatFunctionsMakeOfIt) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    std::atomic<bool> waiting = false;
    pipeline p{scope.ctx()};
    auto in = p.source<int>({}, counting(0, 1));
    p.sink(in, {}, [&](const context& ctx, int) -> error {
      waiting = true;
      ctx.wait();
      return named("request aborted");
    });
    wait_until([&] { return waiting.load(); });
    scope.cancel();
    EXPECT_EQ(p.wait(), errc::canceled);
  });
}

TEST_P(PipelineEnd, AContextThatIsDoneAlreadyLetsNothingRun) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    scope.cancel();
    std::atomic<int> calls = 0;
    {
      pipeline p{scope.ctx()};
      const channel<int> mine(3);
      EXPECT_TRUE(mine.send(1));
      p.sink(mine, {}, [&](int) { ++calls; });
      EXPECT_EQ(p.wait(), errc::canceled);
    }
    {
      pipeline p{scope.ctx()};
      EXPECT_EQ(p.wait(), errc::canceled);
      EXPECT_EQ(p.wait(), errc::canceled);
    }
    EXPECT_EQ(calls, 0);
  });
}

TEST_P(PipelineEnd, ACancellationAfterTheEndChangesNothing) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    pipeline p{scope.ctx()};
    auto in = p.source<int>({}, counting(0, 10));
    std::atomic<int> seen = 0;
    p.sink(in, {}, [&](int) { ++seen; });
    wait_until([] { return fiber_count() == 1; });
    scope.cancel();
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(seen, 10);
  });
}

TEST_P(PipelineEnd, ItemsThatAreLeftAreDroppedBeforeWaitReturns) {
  run([] {
    const auto item = std::make_shared<int>(1);
    pipeline p;
    auto in = p.source<std::shared_ptr<int>>({.capacity = 10}, [&](sender<std::shared_ptr<int>> out) {
      while (out.send(item)) {
      }
    });
    auto same = p.stage(in, {.workers = 3, .capacity = 10}, [](std::shared_ptr<int> v) { return v; });
    auto ordered =
        p.stage(same, {.workers = 3, .capacity = 10, .ordered = true}, [](std::shared_ptr<int> v) { return v; });
    p.sink(ordered, {}, [n = 0](std::shared_ptr<int>) mutable { return ++n == 30 ? named("stop") : error(); });
    EXPECT_EQ(p.wait().message(), "stop");
    EXPECT_EQ(item.use_count(), 1) << "though the receivers are still there";
  });
}

TEST_P(PipelineEnd, TheDestructorCancelsAndWaits) {
  run([] {
    std::atomic<int> ended = 0;
    std::atomic<bool> begun = false;
    {
      pipeline p;
      auto in = p.source<int>({}, [&](const context& ctx, sender<int> out) {
        (void)endless(ctx, std::move(out));
        ++ended;
      });
      auto same = p.stage(in, {.workers = 2}, [](int v) { return v; });
      p.sink(same, {}, [&](const context& ctx, int) {
        begun = true;
        ctx.wait();
        ++ended;
      });
      wait_until([&] { return begun.load(); });
    }
    EXPECT_EQ(ended, 2);
  });
}

TEST_P(PipelineEnd, DroppingAStagesReceiverEndsWhatFeedsItWithoutError) {
  run([] {
    pipeline p;
    auto in = p.source<int>({.capacity = 2}, endless);
    auto plain = p.stage(in, {.workers = 3, .capacity = 2}, [](int v) { return v; });
    {
      auto ordered = p.stage(plain, {.workers = 3, .capacity = 2, .ordered = true}, [](int v) { return v; });
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(ordered.recv());
    }
    EXPECT_FALSE(p.wait());  // though `in` and `plain` are still there
  });
}

TEST_P(PipelineEnd, DroppingASourcesReceiverLetsItSeeClosed) {
  run([] {
    pipeline p;
    { auto in = p.source<int>({}, endless); }
    {
      auto in = p.source<int>({}, [](const context& ctx, sender<int> out) -> error {
        for (;;) {
          if (channel_status s = out.send(ctx, 1); s != channel_status::ok) return s;  // closed is no failure here
        }
      });
    }
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(PipelineEnd, AChannelThatAStageStopsReadingIsClosed) {
  run([] {
    const channel<int> mine;
    pipeline p;
    {
      auto out = p.stage(mine, {.capacity = 1}, [](int v) { return v; });
    }
    std::atomic<bool> refused = false;
    go([&] {
      while (mine.send(1)) {
      }
      refused = true;
    });
    EXPECT_FALSE(p.wait());
    wait_until([&] { return refused.load(); });
  });
}

TEST_P(PipelineEnd, AnInputStaysOpenWhileAnotherStageReadsIt) {
  run([] {
    std::atomic<int> sum = 0;
    pipeline p;
    const channel<int> mine(1);
    {
      auto dropped = p.stage(mine, {.capacity = 1}, [](int v) { return v; });
    }
    p.sink(mine, {}, [&](int v) { sum += v; });
    go([&] {
      for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(mine.send(1));
      mine.close();
    });
    EXPECT_FALSE(p.wait());
    EXPECT_GE(sum, 990);
  });
}

TEST_P(PipelineEnd, AStageAddedAfterTheErrorEndsAtOnce) {
  run([] {
    pipeline p;
    auto in = p.source<int>({}, [](sender<int>) -> error { return named("early"); });
    p.context().wait();
    auto late = p.source<int>({}, endless);
    const channel<int> mine;
    p.sink(mine, {.workers = 2}, [](int) {});
    auto more = p.stage(late, {.workers = 2, .ordered = true}, [](int v) { return v; });
    EXPECT_EQ(p.wait().message(), "early");
  });
}

TEST_P(PipelineEnd, ErrorsAndCancellationsRaceSafely) {
  run([] {
    for (int round = 0; round < 200; ++round) {
      const cancel_scope scope = with_cancel(context::background());
      pipeline p{scope.ctx()};
      auto in = p.source<int>({.capacity = 1}, endless);
      auto same = p.stage(in, {.workers = 2, .capacity = 1, .ordered = round % 2 == 0}, [](int v) { return v; });
      p.sink(same, {.workers = 2}, [&](int v) { return v == round % 10 ? named("item") : error(); });
      go([&scope] { scope.cancel(); });
      const error e = p.wait();
      EXPECT_TRUE(e == errc::canceled || e.message() == "item") << e.message();
      wait_until([] { return fiber_count() == 1; });  // scope is used by the canceller
    }
  });
}

}  // namespace
