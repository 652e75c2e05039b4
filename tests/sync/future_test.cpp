#include <spool/sync/future.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::async;
using spool::future;
using spool::detail::promise;
using spool_test::wait_until;

class Future : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Future);

/// Collects what is logged while it lives.
class LogWatch {
 public:
  LogWatch() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  }
  ~LogWatch() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

static_assert(!std::is_copy_constructible_v<future<int>>);
static_assert(std::is_nothrow_move_constructible_v<future<int>>);

TEST_P(Future, GetReturnsTheValue) {
  run([] {
    EXPECT_EQ(async([] { return 42; }).get(), 42);
    EXPECT_EQ(async([] { return std::string("text"); }).get(), "text");
  });
}

TEST_P(Future, GetOfVoidWaitsForTheEffect) {
  run([] {
    int effect = 0;
    async([&] { effect = 1; }).get();
    EXPECT_EQ(effect, 1);
  });
}

TEST_P(Future, GetOfAReferenceGivesTheObjectItself) {
  run([] {
    int object = 1;
    int& back = async([&]() -> int& { return object; }).get();
    EXPECT_EQ(&back, &object);
  });
}

TEST_P(Future, CarriesMoveOnlyValuesAndClosures) {
  run([] {
    auto f = async([p = std::make_unique<int>(7)]() mutable { return std::move(p); });
    EXPECT_EQ(*f.get(), 7);
  });
}

TEST_P(Future, GetRethrowsWhatTheFiberThrew) {
  run([] {
    auto f = async([]() -> int { throw std::out_of_range("too far"); });
    try {
      f.get();
      FAIL() << "no exception";
    } catch (const std::out_of_range& e) {
      EXPECT_STREQ(e.what(), "too far");
    }
  });
}

TEST_P(Future, ResultCanBeTakenOnce) {
  run([] {
    auto f = async([] { return 1; });
    EXPECT_TRUE(f.valid());
    f.get();
    EXPECT_FALSE(f.valid());
    EXPECT_THROW(f.get(), std::logic_error);
    EXPECT_THROW(f.wait(), std::logic_error);
    EXPECT_THROW((void)f.ready(), std::logic_error);
  });
}

TEST_P(Future, MovedFromFutureHasNoState) {
  run([] {
    auto from = async([] { return 5; });
    future<int> to = std::move(from);
    EXPECT_FALSE(from.valid());  // NOLINT(bugprone-use-after-move)
    EXPECT_THROW(from.wait(), std::logic_error);
    EXPECT_EQ(to.get(), 5);
  });
}

TEST(FutureMisuse, DefaultConstructedThrowsLogicErrorWithAdvice) {
  future<int> f;
  EXPECT_FALSE(f.valid());
  EXPECT_THROW(f.get(), std::logic_error);
  EXPECT_THROW((void)f.wait_for(1ms), std::logic_error);
}

TEST_P(Future, WaitForTellsWhetherTheResultIsThere) {
  run([] {
    promise<int> p;
    auto f = p.get_future();
    EXPECT_FALSE(f.wait_for(0ms));
    EXPECT_FALSE(f.wait_for(2ms));
    EXPECT_FALSE(f.wait_until(std::chrono::steady_clock::now() + 1ms));
    EXPECT_FALSE(f.ready());
    p.set_value(3);
    EXPECT_TRUE(f.ready());
    EXPECT_TRUE(f.wait_for(0ms));
    EXPECT_TRUE(f.wait_for(std::chrono::hours(24 * 365 * 1000)));
    EXPECT_EQ(f.get(), 3);
  });
}

TEST_P(Future, WaitForEndsEarlyWhenTheResultComes) {
  run([] {
    promise<int> p;
    auto f = p.get_future();
    auto setter = async([p = std::move(p)]() mutable { p.set_value(9); });
    EXPECT_TRUE(f.wait_for(1h));
    EXPECT_EQ(f.get(), 9);
    setter.get();
  });
}

TEST_P(Future, WaitStopsWhenTheContextIsCancelled) {
  run([] {
    promise<int> p;
    auto f = p.get_future();
    auto scope = spool::with_cancel(spool::context::background());
    auto canceller = async([&] { scope.cancel(); });
    EXPECT_EQ(f.wait(scope.ctx()), spool::errc::canceled);
    EXPECT_TRUE(f.valid());
    p.set_value(1);
    EXPECT_EQ(f.get(), 1);
    canceller.get();
  });
}

TEST_P(Future, WaitReportsTheContextsDeadline) {
  run([] {
    promise<int> p;
    auto f = p.get_future();
    auto scope = spool::with_timeout(spool::context::background(), 1ms);
    EXPECT_EQ(f.wait(scope.ctx()), spool::errc::deadline_exceeded);
  });
}

TEST_P(Future, ContextThatIsDoneWinsOverAReadyResult) {
  run([] {
    promise<int> p;
    auto f = p.get_future();
    p.set_value(1);
    auto scope = spool::with_cancel(spool::context::background());
    EXPECT_FALSE(f.wait(scope.ctx()));
    scope.cancel();
    EXPECT_EQ(f.wait(scope.ctx()), spool::errc::canceled);
  });
}

TEST_P(Future, DroppingItNeitherWaitsNorCancels) {
  std::atomic<bool> release{false};
  std::atomic<bool> ran{false};
  run([&] {
    {
      auto dropped = async([&] {
        wait_until([&] { return release.load(); });
        ran = true;
      });
    }
    EXPECT_FALSE(ran);
    release = true;
  });
  EXPECT_TRUE(ran);
}

TEST_P(Future, UntakenExceptionIsLogged) {
  LogWatch log;
  run([] {
    auto before = async([] { throw std::runtime_error("nobody looked"); });
    before.wait();
  });
  EXPECT_NE(log.text().find("nobody looked"), std::string::npos) << log.text();
}

TEST_P(Future, ExceptionOfADroppedFutureIsLogged) {
  LogWatch log;
  run([] { (void)async([] { throw std::runtime_error("dropped early"); }); });
  EXPECT_NE(log.text().find("dropped early"), std::string::npos) << log.text();
}

TEST_P(Future, TakenExceptionIsNotLogged) {
  LogWatch log;
  run([] {
    auto f = async([] { throw std::runtime_error("taken"); });
    EXPECT_THROW(f.get(), std::runtime_error);
  });
  EXPECT_EQ(log.text(), "");
}

TEST(Promise, DroppedOneMakesItsFutureFailAsAbandoned) {
  future<int> f;
  {
    promise<int> p;
    f = p.get_future();
    EXPECT_FALSE(f.ready());
  }
  EXPECT_TRUE(f.ready());
  try {
    f.get();
    FAIL() << "no exception";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), spool::errc::abandoned);
  }
}

TEST(Promise, ReplacedOneIsDropped) {
  promise<void> p;
  auto f = p.get_future();
  p = promise<void>();
  ASSERT_TRUE(f.ready());
  EXPECT_THROW(f.get(), std::system_error);
}

TEST(Promise, ErrorIsThrownWithItsCode) {
  promise<void> p;
  auto f = p.get_future();
  p.set_error(spool::errc::closed);
  try {
    f.get();
    FAIL() << "no exception";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), spool::errc::closed);
  }
}

TEST(Promise, ErrorTypeAsAValueIsAValue) {
  promise<spool::error> p;
  auto f = p.get_future();
  p.set_value(spool::error(spool::errc::full));
  EXPECT_EQ(f.get(), spool::errc::full);
}

TEST(Promise, ValueWhoseMoveThrowsBecomesTheException) {
  struct hostile {
    hostile() = default;
    hostile(hostile&&) { throw std::runtime_error("move"); }
  };
  promise<hostile> p;
  auto f = p.get_future();
  p.set_value(hostile());
  EXPECT_THROW(f.get(), std::runtime_error);
}

TEST(FutureMisuse, AsyncOutsideARuntimeThrowsAndKeepsTheClosure) {
  auto kept = std::make_unique<int>(1);
  auto closure = [p = std::move(kept)] { return *p; };
  EXPECT_THROW((void)async(std::move(closure)), std::logic_error);
  EXPECT_EQ(closure(), 1);  // NOLINT(bugprone-use-after-move)
}

TEST_P(Future, WhatTheClosureHeldIsGoneBeforeItIsReady) {
  run([] {
    for (int i = 0; i < 200; ++i) {
      auto held = std::make_shared<int>(1);
      async([held] { return *held; }).get();
      EXPECT_EQ(held.use_count(), 1);
    }
  });
}

TEST_P(Future, PlainThreadWaitsForAFiber) {
  spool::runtime rt(options());
  promise<int> p;
  auto f = p.get_future();
  int got = 0;
  std::thread waiter([&] { got = f.get(); });
  rt.run([&] {
    spool::this_fiber::yield();
    p.set_value(11);
  });
  waiter.join();
  EXPECT_EQ(got, 11);
}

TEST_P(Future, FiberWaitsForAPlainThread) {
  promise<int> p;
  auto f = p.get_future();
  std::thread setter;
  const int got = run([&] {
    setter = std::thread([&] { p.set_value(12); });
    return f.get();
  });
  setter.join();
  EXPECT_EQ(got, 12);
}

TEST_P(Future, ResultIsFreedByItsTakerWhileTheProducerIsStillInside) {
  run([] {
    for (int i = 0; i < 2000; ++i) {
      auto f = async([i] { return std::make_unique<int>(i); });
      ASSERT_EQ(*f.get(), i);
    }
  });
}

TEST_P(Future, TreeOfFuturesAddsUp) {
  struct fib {
    static long of(int n) {
      if (n < 2) return n;
      auto left = async([n] { return of(n - 1); });
      const long right = of(n - 2);
      return left.get() + right;
    }
  };
  EXPECT_EQ(run([] { return fib::of(15); }), 610);
}

struct hook_calls {
  int before = 0;
  int after = 0;
  static const spool::detail::wait_hook& table() {
    static constexpr spool::detail::wait_hook hooks{
        [](void* arg) noexcept -> void* {
          ++static_cast<hook_calls*>(arg)->before;
          return arg;
        },
        [](void* arg, void* token) noexcept {
          EXPECT_EQ(arg, token);
          ++static_cast<hook_calls*>(arg)->after;
        }};
    return hooks;
  }
};

TEST_P(Future, WaitHookSurroundsARealWait) {
  run([] {
    hook_calls calls;
    promise<int> p;
    p.set_wait_hook(hook_calls::table(), &calls);
    auto f = p.get_future();
    EXPECT_FALSE(f.wait_for(1ms));
    EXPECT_EQ(calls.before, 1);
    EXPECT_EQ(calls.after, 1);
    p.set_value(1);
    f.get();
    EXPECT_EQ(calls.before, 1) << "a ready future is not waited for";
  });
}

TEST(FutureState, ReadyOneTakesNoWaiter) {
  promise<void> p;
  auto f = p.get_future();
  spool::detail::waiter w;
  spool::detail::wait_node node(w);
  auto* state = state_of(f);
  ASSERT_NE(state, nullptr);
  ASSERT_TRUE(state->add_waiter(node));
  EXPECT_TRUE(node.linked());
  state->remove_waiter(node);
  EXPECT_FALSE(node.linked());
  p.set_value();
  EXPECT_FALSE(state->add_waiter(node));
  EXPECT_FALSE(node.linked());
  f.get();
  EXPECT_EQ(state_of(f), nullptr);
}

}  // namespace
