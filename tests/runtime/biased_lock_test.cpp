// A lock that costs the worker that uses it alone less, and keeps everybody out all the same.
#include <support/runtimes.hpp>
#include <support/sanitized.hpp>

#include <spool/runtime/detail/biased_lock.hpp>

#include <mutex>
#include <thread>

namespace {

using namespace spool;
using spool::detail::biased_lock;

/// On a fiber: takes it until it is biased. A worker gets one bias a millisecond.
bool gain_bias(biased_lock& lock) {
  for (int i = 0; i < 50'000'000 && lock.biased_towards() != detail::current_bias_id(); ++i) {
    const std::lock_guard guard(lock);
  }
  return lock.biased_towards() == detail::current_bias_id();
}

TEST(BiasedLock, IsBiasedTowardsAWorkerThatUsesItAlone) {
  biased_lock lock;
  run([&] { EXPECT_TRUE(gain_bias(lock)); });
}

TEST(BiasedLock, IsNotBiasedTowardsAPlainThread) {
  biased_lock lock;
  for (int i = 0; i < 3 * detail::alone_for_bias; ++i) const std::lock_guard guard(lock);
  EXPECT_EQ(lock.biased_towards(), 0);
}

TEST(BiasedLock, LosesItsBiasToWhoeverElseTakesIt) {
  biased_lock lock;
  run([&] {
    ASSERT_TRUE(gain_bias(lock));
    std::thread([&] { const std::lock_guard guard(lock); }).join();
    EXPECT_EQ(lock.biased_towards(), 0);
    EXPECT_TRUE(gain_bias(lock));
  });
}

TEST(BiasedLock, KeepsAnotherThreadOutWhileItsOwnerHoldsIt) {
  biased_lock lock;
  int guarded = 0;
  run([&] {
    ASSERT_TRUE(gain_bias(lock));
    lock.lock();
    std::thread other([&] {
      const std::lock_guard guard(lock);
      EXPECT_EQ(guarded, 1);
    });
    while (lock.biased_towards() != 0) std::this_thread::yield();  // until the other waits for us
    guarded = 1;
    lock.unlock();
    other.join();
  });
}

TEST(BiasedLock, KeepsAnotherFiberOfItsOwnerOut) {
  biased_lock lock;
  runtime rt({.threads = 1});
  rt.run([&] {
    ASSERT_TRUE(gain_bias(lock));
    bool held = true;
    wait_group other;
    lock.lock();
    other.go([&] {
      const std::lock_guard guard(lock);
      EXPECT_FALSE(held);
    });
    for (int i = 0; i < 100; ++i) this_fiber::yield();
    held = false;
    lock.unlock();
    other.wait();
  });
}

TEST(BiasedLock, OutlivesTheWorkerThatHadItsBias) {
  biased_lock lock;
  for (int i = 0; i < 3; ++i) {
    runtime rt({.threads = 1});
    rt.run([&] { EXPECT_TRUE(gain_bias(lock)); });
  }
  const std::lock_guard guard(lock);
  EXPECT_EQ(lock.biased_towards(), 0);
}

class BiasedLockOfMany : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(BiasedLockOfMany);

/// Each uses it alone for a while, again and again, so that the bias is taken and withdrawn many times.
TEST_P(BiasedLockOfMany, KeepsEveryoneOut) {
  constexpr int users = 6;
  const int rounds = spool_test::sanitized ? 4 : 20;
  const int times = 2 * detail::alone_for_bias;
  biased_lock lock;
  long guarded = 0;
  const auto use = [&] {
    for (int round = 0; round < rounds; ++round) {
      for (int i = 0; i < times; ++i) {
        const std::lock_guard guard(lock);
        ++guarded;
      }
      this_fiber::sleep_for(std::chrono::milliseconds(1));
    }
  };
  std::thread plain(use);
  run([&] {
    wait_group all;
    for (int i = 1; i < users; ++i) all.go(use);
    all.wait();
  });
  plain.join();
  EXPECT_EQ(guarded, static_cast<long>(users) * rounds * times);
}

}  // namespace
