#include <spool/sync/object_pool.hpp>

#include "../support/runtimes.hpp"

#include <spool/sync/wait_group.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using spool::object_pool;

class ObjectPool : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ObjectPool);

struct counted {
  explicit counted(std::atomic<int>& n) : alive(n) { ++alive; }
  counted(const counted&) = delete;
  ~counted() { --alive; }
  std::atomic<int>& alive;
  int users = 0;
};

TEST(ObjectPoolBasics, WhatComesBackGoesOutAgain) {
  int made = 0;
  object_pool<std::string> pool([&] {
    ++made;
    return std::string();
  });
  {
    auto h = pool.get();
    *h = "left behind";
    EXPECT_EQ(pool.idle(), 0U);
  }
  EXPECT_EQ(pool.idle(), 1U);
  EXPECT_EQ(*pool.get(), "left behind");
  EXPECT_EQ(made, 1);
}

TEST(ObjectPoolBasics, MakesOneForEachUserAtATime) {
  std::atomic<int> alive{0};
  {
    object_pool<counted> pool([&] { return counted(alive); });
    auto a = pool.get();
    auto b = pool.get();
    EXPECT_NE(a.get(), b.get());
    EXPECT_EQ(alive, 2);
  }
  EXPECT_EQ(alive, 0);
}

TEST(ObjectPoolBasics, HandleMovesAndMayOutliveThePool) {
  std::atomic<int> alive{0};
  object_pool<counted>::handle kept;
  EXPECT_FALSE(kept);
  {
    object_pool<counted> pool([&] { return counted(alive); });
    auto first = pool.get();
    kept = pool.get();
    kept = std::move(first);
    EXPECT_EQ(pool.idle(), 1U) << "the one it held before went back";
  }
  EXPECT_EQ(alive, 1);
  kept->users = 1;
  kept = {};
  EXPECT_EQ(alive, 0);
}

TEST(ObjectPoolBasics, KeepsNoMoreIdleThanAllowed) {
  std::atomic<int> alive{0};
  object_pool<counted> pool([&] { return counted(alive); }, 2);
  {
    std::vector<object_pool<counted>::handle> out;
    for (int i = 0; i < 5; ++i) out.push_back(pool.get());
    EXPECT_EQ(alive, 5);
  }
  EXPECT_EQ(alive, 2);
  EXPECT_EQ(pool.idle(), 2U);
  pool.clear();
  EXPECT_EQ(alive, 0);
}

TEST(ObjectPoolBasics, FactoryExceptionPassesThrough) {
  bool fail = true;
  object_pool<int> pool([&] {
    if (fail) throw std::runtime_error("no object");
    return 1;
  });
  EXPECT_THROW((void)pool.get(), std::runtime_error);
  fail = false;
  EXPECT_EQ(*pool.get(), 1);
}

TEST_P(ObjectPool, NoObjectHasTwoUsers) {
  std::atomic<int> alive{0};
  {
    object_pool<counted> pool([&] { return counted(alive); });
    auto work = [&] {
      for (int i = 0; i < 500; ++i) {
        auto h = pool.get();
        EXPECT_EQ(++h->users, 1);
        if (i % 50 == 0) spool::this_fiber::yield();
        --h->users;
      }
    };
    std::thread outside(work);
    run([&] {
      spool::wait_group all;
      for (int f = 0; f < 8; ++f) all.go(work);
      all.wait();
    });
    outside.join();
    EXPECT_LE(alive, 9);
    EXPECT_EQ(pool.idle(), static_cast<std::size_t>(alive.load()));
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
