// this_fiber::sleep_for with a context.
#include <support/runtimes.hpp>

#include <atomic>
#include <chrono>
#include <thread>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

class SleepWithContext : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(SleepWithContext);

TEST_P(SleepWithContext, SleepsItsTimeWhenNothingHappens) {
  run([] {
    const auto begun = clock::now();
    const cancel_scope scope = with_cancel(context::background());
    EXPECT_FALSE(this_fiber::sleep_for(scope.ctx(), 2ms));
    EXPECT_GE(clock::now() - begun, 2ms);
  });
}

TEST_P(SleepWithContext, EndsWhenCancelled) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    std::atomic<bool> sleeping = false;
    std::atomic<bool> ended = false;
    spool::go([&] {
      sleeping = true;
      EXPECT_EQ(this_fiber::sleep_for(scope.ctx(), 1h), errc::canceled);
      ended = true;
    });
    spool_test::wait_until([&] { return sleeping.load(); });
    scope.cancel();
    spool_test::wait_until([&] { return ended.load(); });
  });
}

TEST_P(SleepWithContext, EndsAtTheDeadlineWithItsError) {
  run([] {
    const cancel_scope scope = with_timeout(context::background(), 2ms);
    EXPECT_EQ(this_fiber::sleep_for(scope.ctx(), 1h), errc::deadline_exceeded);
  });
}

TEST_P(SleepWithContext, AContextThatIsDoneWins) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    scope.cancel();
    EXPECT_EQ(this_fiber::sleep_for(scope.ctx(), 0s), errc::canceled);
    EXPECT_EQ(this_fiber::sleep_for(scope.ctx(), 1h), errc::canceled);
  });
}

TEST_P(SleepWithContext, OfNoTimeOrLessReturnsAtOnce) {
  run([] {
    EXPECT_FALSE(this_fiber::sleep_for(context::background(), 0s));
    EXPECT_FALSE(this_fiber::sleep_for(context::background(), -1h));
    EXPECT_FALSE(this_fiber::sleep_until(context::background(), clock::now() - 1h));
  });
}

TEST(SleepWithContextOnAPlainThread, SleepsAndIsCancelled) {
  const cancel_scope scope = with_cancel(context::background());
  EXPECT_FALSE(this_fiber::sleep_for(scope.ctx(), 1ms));
  std::thread canceler([&] { scope.cancel(); });
  EXPECT_EQ(this_fiber::sleep_for(scope.ctx(), 1h), errc::canceled);
  canceler.join();
}

}  // namespace
