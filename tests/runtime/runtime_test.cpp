// runtime: run, go, and several runtimes side by side.
#include "captured_log.hpp"
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class Runtime : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Runtime);

TEST_P(Runtime, RunReturnsAValue) {
  EXPECT_EQ(run([] { return 42; }), 42);
  EXPECT_EQ(run([] { return std::string(1000, 'x'); }), std::string(1000, 'x'));
}

TEST_P(Runtime, RunReturnsAReferenceToTheSameObject) {
  runtime rt(options());
  int here = 1;
  int& there = rt.run([&]() -> int& { return here; });
  EXPECT_EQ(&there, &here);
  const std::string text = "text";
  EXPECT_EQ(&rt.run([&]() -> const std::string& { return text; }), &text);
}

TEST_P(Runtime, RunReturnsWhatCanOnlyMove) {
  EXPECT_EQ(*run([] { return std::make_unique<int>(7); }), 7);
}

TEST_P(Runtime, RunTakesAFunctionThatCanOnlyMove) {
  auto p = std::make_unique<int>(8);
  EXPECT_EQ(run([p = std::move(p)] { return *p; }), 8);
}

TEST_P(Runtime, RunOfAVoidFunctionRunsIt) {
  bool ran = false;
  static_assert(std::is_void_v<decltype(run([&] { ran = true; }))>);
  run([&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST_P(Runtime, RunRethrowsWhatTheFunctionThrew) {
  try {
    run([]() -> int { throw std::runtime_error("mine"); });
    FAIL() << "no exception";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "mine");
  }
  EXPECT_THROW(run([] { throw 5; }), int);
}

TEST_P(Runtime, RunWaitsForFibersEvenAfterAnException) {
  std::atomic<int> ended{0};
  EXPECT_THROW(run([&] {
                 for (int i = 0; i < 50; ++i) {
                   go([&] {
                     for (int k = 0; k < 10; ++k) this_fiber::yield();
                     ++ended;
                   });
                 }
                 throw std::runtime_error("early");
               }),
               std::runtime_error);
  EXPECT_EQ(ended, 50);
}

TEST_P(Runtime, RunWaitsForFibersThatFibersStart) {
  std::atomic<int> ended{0};
  run([&] {
    go([&] {
      this_fiber::sleep_for(1ms);
      go([&] {
        this_fiber::sleep_for(1ms);
        go([&] { ++ended; });
        ++ended;
      });
      ++ended;
    });
  });
  EXPECT_EQ(ended, 3);
}

TEST_P(Runtime, RunOnItsOwnFiberIsRefused) {
  runtime rt(options());
  rt.run([&] {
    EXPECT_THROW(rt.run([] {}), std::logic_error);
    go([&] { EXPECT_THROW(rt.run([] {}), std::logic_error); });
  });
  EXPECT_EQ(rt.run([] { return 1; }), 1);  // and does no harm
}

TEST_P(Runtime, RunInAFiberOfAnotherRuntimeParksThatFiber) {
  runtime inner({.threads = 1});
  run([&] {
    channel<int> step;
    // With one worker, the second fiber can run only if the first has parked.
    go([&] { EXPECT_TRUE(step.send(1)); });
    const int got = inner.run([&] { return step.recv().value_or(0); });
    EXPECT_EQ(got, 1);
  });
}

TEST_P(Runtime, ARuntimeMadeInAFiberRunsAndEnds) {
  EXPECT_EQ(run([] { return spool::run([] { return 3; }); }), 3);
}

TEST_P(Runtime, TwoRuntimesTalk) {
  runtime left(options());
  runtime right(options());
  channel<int> there, back;
  right.go([&] {
    for (int v : there) EXPECT_TRUE(back.send(v * 2));
    back.close();
  });
  int sum = 0;
  left.run([&] {
    go([&] {
      for (int i = 1; i <= 1000; ++i) EXPECT_TRUE(there.send(i));
      there.close();
    });
    for (int v : back) sum += v;
  });
  EXPECT_EQ(sum, 1000 * 1001);
}

TEST_P(Runtime, EachFiberKnowsItsRuntime) {
  runtime a(options());
  runtime b(options());
  EXPECT_EQ(runtime::current(), nullptr);
  EXPECT_EQ(a.run([] { return runtime::current(); }), &a);
  EXPECT_EQ(b.run([] { return runtime::current(); }), &b);
  a.run([&] {
    go([&] { EXPECT_EQ(runtime::current(), &a); });
    b.run([&] { go([&] { EXPECT_EQ(runtime::current(), &b); }); });
    EXPECT_EQ(runtime::current(), &a);
  });
}

TEST_P(Runtime, RunsFollowOneAnother) {
  runtime rt(options());
  std::atomic<int> ended{0};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(rt.run([&] {
      EXPECT_FALSE(rt.root().done()) << "run " << i;
      go([&] { ++ended; });
      return i;
    }),
              i);
    ASSERT_EQ(ended, i + 1);
  }
}

TEST_P(Runtime, RunsOfSeveralThreadsShareOneRuntime) {
  runtime rt(options());
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([&, i] { sum += rt.run([i] { return i; }); });
  for (auto& t : threads) t.join();
  EXPECT_EQ(sum, 28);
}

TEST_P(Runtime, RootIsCancelledWhenTheFunctionHasReturned) {
  runtime rt(options());
  error seen;
  bool early = true;
  rt.run([&] {
    early = rt.root().done();
    go([&] {
      rt.root().wait();
      seen = rt.root().err();
    });
  });
  EXPECT_FALSE(early);
  EXPECT_EQ(seen, errc::canceled);
}

TEST_P(Runtime, DestructorEndsAsRunDoes) {
  std::atomic<int> ended{0};
  {
    runtime rt(options());
    for (int i = 0; i < 100; ++i) {
      rt.go([&] {
        rt.root().wait();
        ++ended;
      });
    }
  }
  EXPECT_EQ(ended, 100);
}

TEST_P(Runtime, RuntimeThatIsNeverUsedEnds) {
  const runtime rt(options());
  EXPECT_EQ(rt.threads(), GetParam());
}

TEST_P(Runtime, EverySpawnedTaskRunsOnce) {
  constexpr int tasks = 100'000;
  std::vector<std::atomic<unsigned char>> ran(tasks);
  run([&] {
    for (int i = 0; i < tasks; ++i) go([&ran, i] { ++ran[static_cast<std::size_t>(i)]; });
  });
  for (const auto& count : ran) ASSERT_EQ(count, 1);
}

TEST_P(Runtime, TasksThatWaitAllRunOnce) {
  constexpr int tasks = spool_test::live_fibers(5'000);
  std::atomic<int> ran{0};
  run([&] {
    for (int i = 0; i < tasks; ++i) {
      go([&] {
        this_fiber::yield();
        ++ran;
      });
    }
  });
  EXPECT_EQ(ran, tasks);
}

TEST_P(Runtime, GoFromPlainThreads) {
  std::atomic<int> ran{0};
  {
    runtime rt(options());
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) rt.go([&] { ++ran; });
      });
    }
    for (auto& t : threads) t.join();
  }
  EXPECT_EQ(ran, 16'000);
}

TEST_P(Runtime, GoFromAFiberOfAnotherRuntime) {
  runtime other(options());
  std::atomic<int> ran{0};
  other.run([&] {
    run([&] {
      for (int i = 0; i < 1000; ++i) other.go([&] { ran += runtime::current() == &other; });
    });
  });
  EXPECT_EQ(ran, 1000);
}

TEST_P(Runtime, ClosuresOfAnySizeAreDestroyedAfterTheyRan) {
  auto token = std::make_shared<int>(1);
  struct large {
    char bytes[1000];
  };
  run([&] {
    go([token] {});
    go([token, big = large{}] { (void)big; });
    go([token, text = std::string(100, 'a'), more = std::string(100, 'b')] {});
  });
  EXPECT_EQ(token.use_count(), 1);
}

TEST_P(Runtime, OverAlignedClosuresStayAligned) {
  struct alignas(64) wide {
    char bytes[64] = {};
  };
  run([] {
    go([w = wide{}] { EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&w) % 64, 0u); });
  });
}

TEST_P(Runtime, FiberCountFollowsTheFibers) {
  run([] {
    EXPECT_EQ(fiber_count(), 1u);
    channel<int> gate;
    wait_group all;
    for (int i = 0; i < 10; ++i) all.go([&] { (void)gate.recv(); });
    EXPECT_EQ(fiber_count(), 11u);
    gate.close();
    all.wait();
    spool_test::wait_until([] { return fiber_count() == 1; });
  });
  EXPECT_EQ(fiber_count(), 0u);
}

struct counts_moves {
  int* moves;
  explicit counts_moves(int& m) : moves(&m) {}
  counts_moves(counts_moves&& other) noexcept : moves(other.moves) { ++*moves; }
  void operator()() const {}
};

TEST(RuntimeMisuse, GoOutsideARuntimeIsRefusedAndTakesNothing) {
  int moves = 0;
  counts_moves f(moves);
  EXPECT_THROW(go(std::move(f)), std::logic_error);
  EXPECT_THROW((void)async(std::move(f)), std::logic_error);
  EXPECT_EQ(moves, 0);
  try {
    go([] {});
  } catch (const std::logic_error& e) {
    EXPECT_NE(std::string(e.what()).find("spool::run"), std::string::npos) << "the message says what to do instead";
  }
}

TEST(RuntimeMisuse, GoOnAPlainThreadBesideARuntimeIsRefused) {
  runtime rt({.threads = 1});
  EXPECT_THROW(go([] {}), std::logic_error);
  rt.run([] { EXPECT_THROW(blocking([] { go([] {}); }), std::logic_error); });
}

TEST(RuntimeMisuse, AFunctionThatThrowsWhileItIsMovedStartsNothing) {
  struct throws_when_copied {
    throws_when_copied() = default;
    throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy"); }
    void operator()() const { ADD_FAILURE() << "ran"; }
  };
  runtime rt({.threads = 2});
  rt.run([] {
    const throws_when_copied f;
    EXPECT_THROW(go(f), std::runtime_error);
    EXPECT_EQ(fiber_count(), 1u);
  });
}

}  // namespace
