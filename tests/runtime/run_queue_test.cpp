#include <runtime/run_queue.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace {

using spool::detail::loot;
using spool::detail::run_queue;
using spool::detail::runnable;

struct item : runnable {
  explicit item(int n = 0) : runnable(kind::task), number(n) {}
  int number;
  std::atomic<int> taken{0};
};

TEST(RunQueue, IsFirstInFirstOutAndGrows) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    run_queue queue;
    std::deque<item> items;
    std::size_t next = 0;
    for (const unsigned wave : {100u, 400u, 700u, 3000u}) {  // each begins elsewhere in the ring
      for (unsigned i = 0; i < wave; ++i) queue.push(&items.emplace_back(static_cast<int>(items.size())));
      ASSERT_EQ(queue.size(), items.size() - next);
      for (std::size_t pops = random() % (items.size() - next + 1); pops > 0; --pops) {
        ASSERT_EQ(queue.pop(), &items[next]) << "seed " << seed;
        ++next;
      }
    }
    while (next < items.size()) ASSERT_EQ(queue.pop(), &items[next++]);
    EXPECT_EQ(queue.pop(), nullptr);
  }
}

TEST(RunQueue, WhatIsNextGoesFirstAndTheRestHasItsTurn) {
  run_queue queue;
  item talkative, patient;
  queue.push(&patient);
  int turns = 0;
  for (queue.push_next(&talkative); queue.pop() == &talkative; queue.push_next(&talkative)) ASSERT_LT(++turns, 1000);
  EXPECT_GT(turns, 1);
  EXPECT_EQ(queue.pop(), &talkative);
  EXPECT_TRUE(queue.empty());
}

TEST(RunQueue, AThiefTakesTheOlderHalf) {
  run_queue queue;
  std::deque<item> items;
  for (int i = 0; i < 5; ++i) queue.push(&items.emplace_back(i));
  loot taken;
  queue.steal(taken);
  ASSERT_EQ(taken.count, 3u);
  for (std::size_t i = 0; i < taken.count; ++i) EXPECT_EQ(taken.items[i], &items[i]);
  EXPECT_EQ(queue.size(), 2u);
}

TEST(RunQueue, AThiefTakesWhatIsNextIfThereIsNothingElse) {
  run_queue queue;
  item only;
  queue.push_next(&only);
  loot taken;
  queue.steal(taken);
  ASSERT_EQ(taken.count, 1u);
  EXPECT_EQ(taken.items[0], &only);
  EXPECT_TRUE(queue.empty());
}

TEST(RunQueue, OwnerAndThievesTakeEachItemOnce) {
  constexpr int count = 300'000;
  const std::unique_ptr<item[]> items(new item[count]);
  run_queue queue;
  std::atomic<bool> over{false};
  const auto take = [](runnable* r) { static_cast<item*>(r)->taken.fetch_add(1, std::memory_order_relaxed); };
  std::vector<std::thread> thieves;
  for (int t = 0; t < 2; ++t) {
    thieves.emplace_back([&] {
      while (!over) {
        loot taken;
        queue.steal(taken);
        for (std::size_t i = 0; i < taken.count; ++i) take(taken.items[i]);
      }
    });
  }
  for (int i = 0; i < count; ++i) {
    i % 3 == 0 ? queue.push_next(&items[i]) : queue.push(&items[i]);
    if (i % 2 == 0) {
      if (runnable* r = queue.pop()) take(r);
    }
  }
  while (runnable* r = queue.pop()) take(r);
  over = true;
  for (std::thread& t : thieves) t.join();
  EXPECT_TRUE(queue.empty());
  for (int i = 0; i < count; ++i) ASSERT_EQ(items[i].taken, 1) << "item " << i;
}

}  // namespace
