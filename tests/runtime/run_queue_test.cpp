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
  explicit item(int n = 0, kind k = kind::task) : runnable(k), number(n) {}
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

TEST(RunQueue, TakesTheNewestTaskFirstWhenAskedTo) {
  run_queue queue;
  std::deque<item> items;
  for (int i = 0; i < 4; ++i) queue.push(&items.emplace_back(i));
  queue.take_newest_first(true);
  EXPECT_EQ(queue.pop(), &items[3]);
  EXPECT_EQ(queue.pop(), &items[2]);
  queue.take_newest_first(false);
  EXPECT_EQ(queue.pop(), &items[0]);
  EXPECT_EQ(queue.pop(), &items[1]);
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST(RunQueue, TheOldestTaskHasItsTurnAmongNewerOnes) {
  run_queue queue;
  item oldest, newer;
  queue.push(&oldest);
  queue.take_newest_first(true);
  int turns = 0;
  for (queue.push(&newer); queue.pop() == &newer; queue.push(&newer)) ASSERT_LT(++turns, 10'000);
  EXPECT_GT(turns, 1);
  EXPECT_EQ(queue.pop(), &newer);
}

/// Fibers that do nothing but yield, and tasks: all of them get on.
TEST(RunQueue, FibersThatYieldAndNewTasksTakeTurns) {
  run_queue queue;
  std::deque<item> tasks;
  for (int i = 0; i < 1000; ++i) queue.push(&tasks.emplace_back(i));
  queue.take_newest_first(true);
  item fibers[] = {item(0, runnable::kind::fiber), item(1, runnable::kind::fiber), item(2, runnable::kind::fiber)};
  for (item& f : fibers) queue.push(&f);
  int begun = 0;
  for (int i = 0; i < 600; ++i) {
    runnable* r = queue.pop();
    ASSERT_NE(r, nullptr);
    if (r->what == runnable::kind::task) {
      ++begun;
    } else {
      ++static_cast<item*>(r)->taken;
      queue.push(r);
    }
  }
  EXPECT_GE(begun, 200);
  for (const item& f : fibers) EXPECT_GE(f.taken, 50) << "fiber " << f.number;
}

TEST(RunQueue, ManyReadyFibersAreFirstInFirstOut) {
  run_queue queue;
  item task;
  queue.push(&task);
  std::deque<item> fibers;
  for (int i = 0; i < 100; ++i) queue.push(&fibers.emplace_back(i, runnable::kind::fiber));
  queue.take_newest_first(true);
  EXPECT_EQ(queue.pop(), &task);
  for (item& f : fibers) EXPECT_EQ(queue.pop(), &f);
}

TEST(RunQueue, OwnerPaysForFencesWhileItIsRobbedOften) {
  const bool always = !spool::detail::fences_are_asymmetric();  // for want of a membarrier
  run_queue queue;
  item only;
  const auto pass_through = [&](int times) {
    for (int i = 0; i < times; ++i) {
      queue.push(&only);
      ASSERT_EQ(queue.pop(), &only);
    }
  };
  const auto rob = [&] {
    queue.push(&only);
    loot taken;
    queue.steal(taken);
    ASSERT_EQ(taken.count, 1u);
  };
  pass_through(1000);
  rob();
  EXPECT_EQ(queue.issues_full_fences(), always);
  pass_through(5);
  rob();
  EXPECT_TRUE(queue.issues_full_fences());
  for (int i = 0; i < 10; ++i) pass_through(100), rob();
  EXPECT_TRUE(queue.issues_full_fences());
  pass_through(1000);
  EXPECT_EQ(queue.issues_full_fences(), always);
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
  for (std::size_t i = 0; i < count; ++i) {
    i % 3 == 0 ? queue.push_next(&items[i]) : queue.push(&items[i]);
    if (i % 2 == 0) {
      if (runnable* r = queue.pop()) take(r);
    }
  }
  while (runnable* r = queue.pop()) take(r);
  over = true;
  for (std::thread& t : thieves) t.join();
  EXPECT_TRUE(queue.empty());
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(items[i].taken, 1) << "item " << i;
}

}  // namespace
