// errgroup's limit on the fibers that are active at a time.
#include <support/runtimes.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace spool;

class ErrgroupLimit : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ErrgroupLimit);

TEST_P(ErrgroupLimit, BoundsTheFibersAtATime) {
  run([] {
    for (const std::ptrdiff_t limit : {1, 3, 8}) {
      std::atomic<std::ptrdiff_t> active = 0;
      std::atomic<std::ptrdiff_t> most = 0;
      errgroup group;
      group.set_limit(limit);
      for (int i = 0; i < 100; ++i) {
        group.go([&] {
          const std::ptrdiff_t now = ++active;
          std::ptrdiff_t seen = most;
          while (seen < now && !most.compare_exchange_weak(seen, now)) {
          }
          this_fiber::yield();
          --active;
        });
      }
      EXPECT_FALSE(group.wait());
      EXPECT_LE(most, limit);
    }
  });
}

TEST_P(ErrgroupLimit, GoWaitsWhenTheLimitIsReached) {
  run([] {
    errgroup group;
    group.set_limit(1);
    std::atomic<bool> release = false;
    std::atomic<bool> second_started = false;
    group.go([&] { spool_test::wait_until([&] { return release.load(); }); });
    std::atomic<bool> in_go = false;
    std::atomic<bool> go_returned = false;
    spool::go([&] {
      in_go = true;
      group.go([&] { second_started = true; });
      go_returned = true;
    });
    spool_test::wait_until([&] { return in_go.load(); });
    for (int i = 0; i < 100; ++i) this_fiber::yield();
    EXPECT_FALSE(go_returned);
    EXPECT_FALSE(second_started);
    release = true;
    spool_test::wait_until([&] { return go_returned.load(); });
    EXPECT_FALSE(group.wait());
    EXPECT_TRUE(second_started);
  });
}

TEST_P(ErrgroupLimit, WaitingGoesAreServedInOrder) {
  run([] {
    errgroup group;
    group.set_limit(1);
    std::atomic<bool> release = false;
    std::vector<int> order;
    group.go([&] { spool_test::wait_until([&] { return release.load(); }); });
    std::atomic<int> queued = 0;
    for (int i = 0; i < 5; ++i) {
      spool::go([&, i] {
        ++queued;
        group.go([&, i] { order.push_back(i); });
        ++queued;
      });
      spool_test::wait_until([&] { return queued == i + 1; });
      for (int k = 0; k < 1000; ++k) this_fiber::yield();  // it is in go by now
    }
    release = true;
    spool_test::wait_until([&] { return queued == 10; });
    EXPECT_FALSE(group.wait());
    if (GetParam() == 1) {
      EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
    } else {
      EXPECT_EQ(order.size(), 5U);
    }
  });
}

TEST_P(ErrgroupLimit, TryGoRefusesWhenTheLimitIsReached) {
  run([] {
    errgroup group;
    group.set_limit(1);
    std::atomic<bool> release = false;
    EXPECT_TRUE(group.try_go([&] { spool_test::wait_until([&] { return release.load(); }); }));
    struct counted {
      std::unique_ptr<int> held = std::make_unique<int>(1);
      void operator()() const { ADD_FAILURE() << "was refused"; }
    } refused;
    EXPECT_FALSE(group.try_go(std::move(refused)));
    EXPECT_NE(refused.held, nullptr) << "what is refused is not moved from";
    release = true;
    EXPECT_FALSE(group.wait());
    EXPECT_TRUE(group.try_go([] {}));
    EXPECT_FALSE(group.wait());
  });
}

TEST_P(ErrgroupLimit, ZeroLetsNothingStartUntilItIsRaised) {
  run([] {
    errgroup group;
    group.set_limit(0);
    EXPECT_FALSE(group.try_go([] {}));
    std::atomic<bool> in_go = false;
    std::atomic<bool> ran = false;
    std::atomic<bool> go_returned = false;
    spool::go([&] {
      in_go = true;
      group.go([&] { ran = true; });
      go_returned = true;
    });
    spool_test::wait_until([&] { return in_go.load(); });
    for (int i = 0; i < 100; ++i) this_fiber::yield();
    EXPECT_FALSE(go_returned);
    EXPECT_FALSE(group.wait()) << "who waits for a turn is not yet of the group";
    group.set_limit(1);
    spool_test::wait_until([&] { return go_returned.load(); });
    EXPECT_FALSE(group.wait());
    EXPECT_TRUE(ran);
  });
}

TEST_P(ErrgroupLimit, NegativeIsNone) {
  run([] {
    errgroup group;
    group.set_limit(1);
    group.set_limit(-1);
    std::atomic<bool> release = false;
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(group.try_go([&] { spool_test::wait_until([&] { return release.load(); }); }));
    }
    release = true;
    EXPECT_FALSE(group.wait());
  });
}

TEST_P(ErrgroupLimit, CannotBeChangedWhileFibersAreActive) {
  run([] {
    errgroup group;
    std::atomic<bool> release = false;
    group.go([&] { spool_test::wait_until([&] { return release.load(); }); });
    EXPECT_THROW(group.set_limit(3), std::logic_error);
    release = true;
    EXPECT_FALSE(group.wait());
    group.set_limit(3);
  });
}

TEST_P(ErrgroupLimit, AnErrorGivesItsPlaceToTheNext) {
  run([] {
    errgroup group;
    group.set_limit(2);
    std::atomic<int> ran = 0;
    for (int i = 0; i < 20; ++i) {
      group.go([&, i]() -> error {
        ++ran;
        if (i % 2 == 0) throw std::runtime_error("x");
        return errc::closed;
      });
    }
    EXPECT_TRUE(group.wait());
    EXPECT_EQ(ran, 20);
  });
}

TEST_P(ErrgroupLimit, IsKeptUnderManyStarters) {
  run([] {
    errgroup group;
    group.set_limit(4);
    errgroup starters;
    std::atomic<int> active = 0;
    std::atomic<int> over = 0;
    std::atomic<int> ran = 0;
    for (int s = 0; s < 20; ++s) {
      starters.go([&] {
        for (int i = 0; i < 50; ++i) {
          group.go([&] {
            if (++active > 4) ++over;
            if (ran++ % 8 == 0) this_fiber::yield();
            --active;
          });
        }
      });
    }
    EXPECT_FALSE(starters.wait());
    EXPECT_FALSE(group.wait());
    EXPECT_EQ(over, 0);
    EXPECT_EQ(ran, 1000);
  });
}

}  // namespace
