#include "../support/runtimes.hpp"

#include <spool/runtime/detail/waiter.hpp>

namespace {

using spool::detail::waiter;

// Whoever ends a wait may be faster than who waits: between its registration and its wait it holds no lock.
void be_woken_before_waiting() {
  for (int i = 0; i < 3; ++i) {
    waiter self;
    ASSERT_TRUE(self.claim(waiter::done));
    self.wake();
    EXPECT_EQ(self.wait({"test", nullptr}), waiter::done);
  }
}

class Waiter : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Waiter);

TEST_P(Waiter, AWakeUpBeforeTheWaitIsKept) { run(be_woken_before_waiting); }

TEST(WaiterOnAThread, AWakeUpBeforeTheWaitIsKept) { be_woken_before_waiting(); }

}  // namespace
