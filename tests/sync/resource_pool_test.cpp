#include <spool/sync/resource_pool.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/sync/future.hpp>
#include <spool/sync/wait_group.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::async;
using spool::context;
using spool::resource_pool;
using spool::result;

class ResourcePool : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ResourcePool);

TEST_P(ResourcePool, NeverMoreThanMaxExistAndNoneHasTwoUsers) {
  std::atomic<int> made{0};
  std::atomic<int> inside{0};
  resource_pool<std::unique_ptr<int>> pool(3, [&] {
    ++made;
    return std::make_unique<int>(0);
  });
  auto work = [&] {
    for (int i = 0; i < 100; ++i) {
      auto h = pool.acquire(context::background());
      ASSERT_TRUE(h);
      EXPECT_LE(++inside, 3);
      EXPECT_EQ(++***h, 1);
      if (i % 10 == 0) spool::this_fiber::yield();
      --***h;
      --inside;
    }
  };
  std::thread outside(work);
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 8; ++f) all.go(work);
    all.wait();
  });
  outside.join();
  EXPECT_LE(made, 3);
  EXPECT_EQ(pool.idle(), static_cast<std::size_t>(made.load()));
}

TEST_P(ResourcePool, AcquireWaitsForOneThatComesBack) {
  run([] {
    resource_pool<int> pool(1, [] { return 7; });
    auto first = pool.acquire(context::background()).value();
    auto second = async([&] { return *pool.acquire(context::background()).value(); });
    spool::this_fiber::yield();
    EXPECT_FALSE(second.ready());
    *first = 8;
    first = {};
    EXPECT_EQ(second.get(), 8);
  });
}

TEST_P(ResourcePool, WaitEndsWithTheContext) {
  run([] {
    resource_pool<int> pool(1, [] { return 7; });
    auto held = pool.acquire(context::background());
    auto scope = spool::with_timeout(context::background(), 1ms);
    const auto refused = pool.acquire(scope.ctx());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), spool::errc::deadline_exceeded);
    held = spool::error(spool::errc::canceled);  // gives it back
    EXPECT_FALSE(pool.acquire(scope.ctx())) << "a context that is done wins";
    EXPECT_TRUE(pool.acquire(context::background()));
  });
}

TEST_P(ResourcePool, TryAcquireSaysEmptyWhenAllAreTaken) {
  run([] {
    resource_pool<int> pool(1, [] { return 7; });
    {
      auto held = pool.try_acquire();
      ASSERT_TRUE(held);
      const auto refused = pool.try_acquire();
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error(), spool::errc::empty);
    }
    EXPECT_TRUE(pool.try_acquire());
  });
}

TEST(ResourcePoolBasics, DiscardDestroysItAndMakesRoom) {
  int made = 0;
  resource_pool<std::shared_ptr<int>> pool(1, [&] { return std::make_shared<int>(++made); });
  auto h = pool.acquire(context::background()).value();
  const std::weak_ptr<int> broken = *h;
  h.discard();
  EXPECT_FALSE(h);
  EXPECT_TRUE(broken.expired());
  EXPECT_EQ(pool.idle(), 0U);
  h.discard();
  auto fresh = pool.acquire(context::background()).value();
  EXPECT_EQ(**fresh, 2);
}

TEST(ResourcePoolBasics, ThrowingFactoryIsAnErrorAndGivesItsPlaceBack) {
  bool fail = true;
  resource_pool<int> pool(1, [&]() -> int {
    if (fail) throw std::runtime_error("refused");
    return 1;
  });
  for (int i = 0; i < 3; ++i) {
    const auto r = pool.acquire(context::background());
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message(), "refused");
    EXPECT_THROW(r.error().rethrow(), std::runtime_error);
  }
  fail = false;
  EXPECT_TRUE(pool.try_acquire());
}

TEST(ResourcePoolBasics, FactoryErrorIsReturnedAndGivesItsPlaceBack) {
  bool fail = true;
  resource_pool<int> pool(1, [&]() -> result<int> {
    if (fail) return spool::error(spool::errc::circuit_open);
    return 5;
  });
  EXPECT_EQ(pool.acquire(context::background()).error(), spool::errc::circuit_open);
  fail = false;
  EXPECT_EQ(*pool.try_acquire().value(), 5);
}

TEST(ResourcePoolBasics, FactoryMayTakeTheContextOfItsAcquire) {
  const spool::context_key<int> key("size");
  resource_pool<int> pool(1, [&](const context& ctx) { return *ctx.value(key); });
  const context ctx = spool::with_value(context::background(), key, 33);
  EXPECT_EQ(*pool.acquire(ctx).value(), 33);
}

TEST(ResourcePoolBasics, HandleMayOutliveThePool) {
  auto watched = std::make_shared<int>(1);
  resource_pool<std::shared_ptr<int>>::handle kept;
  {
    resource_pool<std::shared_ptr<int>> pool(2, [&] { return watched; });
    kept = pool.acquire(context::background()).value();
    (void)pool.acquire(context::background()).value();
  }
  kept = {};
  EXPECT_EQ(watched.use_count(), 1) << "what comes back after the pool is destroyed";
}

TEST(ResourcePoolMisuse, NoRoomAtAllThrows) {
  auto make = [] { return 1; };
  EXPECT_THROW(resource_pool<int>(0, make), std::invalid_argument);
  EXPECT_THROW(resource_pool<int>(static_cast<std::size_t>(-1), make), std::invalid_argument);
}

}  // namespace
