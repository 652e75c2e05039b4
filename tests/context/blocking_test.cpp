// blocking with a context: gives up waiting for a thread, never a started call.
#include <support/runtimes.hpp>

#include <atomic>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class BlockingWithContext : public spool_test::WithWorkers {
 protected:
  /// A runtime with one helper thread.
  template <class F>
  auto run_with_one_helper(F&& f) {
    runtime rt({.threads = GetParam(), .blocking_threads = 1});
    return rt.run(std::forward<F>(f));
  }
};
SPOOL_INSTANTIATE_WORKERS(BlockingWithContext);

TEST_P(BlockingWithContext, ReturnsWhatTheCallReturned) {
  run([] {
    const auto worker = std::this_thread::get_id();
    const cancel_scope scope = with_cancel(context::background());
    const auto ran_on = blocking(scope.ctx(), [] { return std::this_thread::get_id(); });
    ASSERT_TRUE(ran_on.has_value());
    EXPECT_NE(*ran_on, worker);
    EXPECT_EQ(*blocking(context::background(), [] { return std::string("text"); }), "text");
    auto moved = blocking(context::background(), [] { return std::make_unique<int>(3); });
    EXPECT_EQ(**moved, 3);
  });
}

TEST_P(BlockingWithContext, OfAVoidCallHasAValue) {
  run([] {
    bool ran = false;
    const result<void> r = blocking(context::background(), [&] { ran = true; });
    EXPECT_TRUE(r.has_value());
    EXPECT_TRUE(ran);
  });
}

TEST_P(BlockingWithContext, RethrowsWhatTheCallThrew) {
  run([] {
    EXPECT_THROW((void)blocking(context::background(), []() -> int { throw std::runtime_error("x"); }),
                 std::runtime_error);
  });
}

TEST_P(BlockingWithContext, AContextThatIsDoneWins) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    scope.cancel();
    bool ran = false;
    const auto r = blocking(scope.ctx(), [&] { return ran = true; });
    EXPECT_EQ(r.error(), errc::canceled);
    EXPECT_FALSE(ran);
  });
}

TEST_P(BlockingWithContext, GivesUpWaitingForAThread) {
  run_with_one_helper([] {
    std::binary_semaphore release(0);
    std::atomic<bool> occupied = false;
    std::atomic<bool> ended = false;
    spool::go([&] {
      blocking([&] {
        occupied = true;
        release.acquire();
      });
      ended = true;
    });
    spool_test::wait_until([&] { return occupied.load(); });
    const cancel_scope scope = with_timeout(context::background(), 2ms);
    bool ran = false;
    const auto r = blocking(scope.ctx(), [&] { return ran = true; });
    EXPECT_EQ(r.error(), errc::deadline_exceeded);
    EXPECT_FALSE(ran);
    release.release();
    spool_test::wait_until([&] { return ended.load(); });
    EXPECT_FALSE(ran);
  });
}

TEST_P(BlockingWithContext, NeverGivesUpAStartedCall) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    std::atomic<bool> started = false;
    std::atomic<bool> canceled = false;
    std::binary_semaphore release(0);
    spool::go([&] {
      spool_test::wait_until([&] { return started.load(); });
      scope.cancel();
      release.release();
      canceled = true;
    });
    const auto r = blocking(scope.ctx(), [&] {
      started = true;
      release.acquire();
      return 5;
    });
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(*r, 5);
    spool_test::wait_until([&] { return canceled.load(); });
    EXPECT_TRUE(scope.ctx().done());
  });
}

TEST_P(BlockingWithContext, StartAndCancelRace) {
  run([] {
    for (int i = 0; i < 200; ++i) {
      const cancel_scope scope = with_cancel(context::background());
      spool::go([ctx = scope.ctx(), cancel = scope.get<1>()] { cancel(); });
      bool ran = false;
      const auto r = blocking(scope.ctx(), [&] { ran = true; });
      ASSERT_EQ(r.has_value(), ran);
    }
  });
}

TEST(BlockingWithContextOnAPlainThread, RunsInPlace) {
  const auto r = blocking(context::background(), [] { return std::this_thread::get_id(); });
  EXPECT_EQ(*r, std::this_thread::get_id());
  const cancel_scope scope = with_cancel(context::background());
  scope.cancel();
  EXPECT_EQ(blocking(scope.ctx(), [] { return 1; }).error(), errc::canceled);
}

}  // namespace
