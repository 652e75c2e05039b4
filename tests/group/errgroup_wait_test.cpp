#include <spool/spool.hpp>
#include <spool/testing/bubble.hpp>

#include <gtest/gtest.h>

namespace {

TEST(ErrgroupWait, WakesEveryoneWhoWaits) {
  spool::testing::run_in_bubble([] {
    spool::errgroup group;
    const spool::channel<int> gate;
    group.go([gate] { (void)gate.recv(); });
    int returned = 0;
    for (int i = 0; i < 3; ++i) {
      spool::go([&] {
        EXPECT_FALSE(group.wait());
        ++returned;
      });
    }
    spool::testing::settle();  // they wait
    EXPECT_EQ(returned, 0);
    gate.close();
    spool::testing::settle();
    EXPECT_EQ(returned, 3);
  });
}

}  // namespace
