// Stages whose results leave in the order of their items.
#include "drained.hpp"

#include <atomic>
#include <numeric>
#include <random>
#include <stdexcept>

namespace {

using namespace spool;
using spool_test::all_of;
using spool_test::counting;
using spool_test::endless;
using spool_test::named;
using spool_test::wait_until;

class OrderedStage : public spool_test::Drained {};
SPOOL_INSTANTIATE_WORKERS(OrderedStage);

std::vector<int> numbers(int last) {
  std::vector<int> expected(static_cast<std::size_t>(last));
  std::iota(expected.begin(), expected.end(), 0);
  return expected;
}

TEST_P(OrderedStage, KeepsTheOrderWhateverTheItemsTake) {
  run([] {
    for (const std::size_t workers : {2u, 3u, 8u}) {
      for (const std::size_t capacity : {0u, 1u, 5u, 100u}) {
        pipeline p;
        auto in = p.source<int>({.capacity = 7}, counting(0, 500));
        auto out = p.stage(in, {.workers = workers, .capacity = capacity, .ordered = true}, [](int v) {
          for (int i = 0; i < v * 7 % 5; ++i) this_fiber::yield();
          return v;
        });
        EXPECT_EQ(all_of(out), numbers(500));
        EXPECT_FALSE(p.wait());
      }
    }
  });
}

TEST_P(OrderedStage, OvertakingResultsWaitForASlowOne) {
  run([] {
    std::atomic<int> finished = 0;
    pipeline p;
    auto in = p.source<int>({.capacity = 0}, counting(0, 6));
    // Item 0 ends after all others: they must be worked on, on the other worker, while it is held up.
    auto out = p.stage(in, {.workers = 2, .capacity = 6, .ordered = true}, [&](int v) {
      if (v == 0) wait_until([&] { return finished == 5; });
      ++finished;
      return v;
    });
    EXPECT_EQ(all_of(out), numbers(6));
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(OrderedStage, HoldsNoMoreThanWorkersAndCapacity) {
  run([] {
    constexpr int workers = 3;
    constexpr int capacity = 4;
    std::atomic<int> begun = 0;
    std::atomic<bool> release = false;
    pipeline p;
    auto in = p.source<int>({.capacity = 0}, counting(0, 100));
    auto out = p.stage(in, {.workers = workers, .capacity = capacity, .ordered = true}, [&](int v) {
      ++begun;
      if (v == 0) wait_until([&] { return release.load(); });
      return v;
    });
    wait_until([&] { return begun == workers + capacity; });
    for (int i = 0; i < 200; ++i) this_fiber::yield();
    EXPECT_EQ(begun, workers + capacity) << "behind a slow item";
    release = true;
    for (int i = 0; i < 200; ++i) this_fiber::yield();
    EXPECT_LE(begun, 2 * (workers + capacity)) << "before a slow receiver";
    EXPECT_EQ(all_of(out), numbers(100));
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(OrderedStage, HoldsNoMoreBeforeASlowReceiver) {
  run([] {
    constexpr int workers = 3;
    constexpr int capacity = 4;
    std::atomic<int> begun = 0;
    pipeline p;
    auto in = p.source<int>({.capacity = 0}, counting(0, 100));
    auto out = p.stage(in, {.workers = workers, .capacity = capacity, .ordered = true}, [&](int v) {
      ++begun;
      return v;
    });
    wait_until([&] { return begun == workers + capacity; });
    for (int i = 0; i < 200; ++i) this_fiber::yield();
    EXPECT_EQ(begun, workers + capacity);
    EXPECT_EQ(all_of(out), numbers(100));
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(OrderedStage, GoesOnBehindASlowItemWhenTheReceiverMakesRoom) {
  run([] {
    std::atomic<int> begun = 0;
    pipeline p;
    auto in = p.source<int>({.capacity = 0}, counting(0, 8));
    // 0 and 1 fill the output. While 2 is held up, 3 waits behind it, and there is no room until 0 and 1 are received.
    auto out = p.stage(in, {.workers = 2, .capacity = 2, .ordered = true}, [&](int v) {
      ++begun;
      if (v == 2) wait_until([&] { return begun == 6; });
      return v;
    });
    wait_until([&] { return begun == 4; });
    for (int i = 0; i < 200; ++i) this_fiber::yield();
    EXPECT_EQ(begun, 4);
    EXPECT_EQ(all_of(out), numbers(8));
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(OrderedStage, DroppedAndSkippedItemsLeaveNoGap) {
  run([] {
    pipeline p;
    auto in = p.source<int>({}, counting(0, 100));
    auto out = p.stage(in, {.workers = 4, .capacity = 2, .ordered = true, .on_error = on_error::skip},
                       [](int v) -> result<std::optional<int>> {
                         if (v % 3 == 0) return errc::full;
                         if (v % 3 == 1) return std::optional<int>();
                         if (v == 50) throw std::runtime_error("fifty");
                         return std::optional<int>(v);
                       });
    std::vector<int> expected;
    for (int v = 2; v < 100; v += 3) {
      if (v != 50) expected.push_back(v);
    }
    EXPECT_EQ(all_of(out), expected);
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(OrderedStage, HandlingAnErrorMayThrowWhileOthersWaitForTheirTurn) {
  run([] {
    constexpr int workers = 3;
    constexpr int capacity = 2;
    std::atomic<int> begun = 0;
    const auto undecided = [](const error&) -> on_error { throw std::runtime_error("undecided"); };
    pipeline p;
    auto in = p.source<int>({}, endless);
    auto out = p.stage(in, {.workers = workers, .capacity = capacity, .ordered = true, .on_error = undecided},
                       [&](int v) -> result<int> {
                         ++begun;
                         if (v > 0) return v;
                         // Until the others wait for this one, as no more items may be under way.
                         wait_until([&] { return begun == workers + capacity; });
                         for (int i = 0; i < 50; ++i) this_fiber::yield();
                         return named("zero");
                       });
    p.sink(out, {}, [](int) {});
    EXPECT_EQ(p.wait().message(), "undecided");
  });
}

TEST_P(OrderedStage, AnErrorEndsItWhileOthersWaitForTheirTurn) {
  run([] {
    for (int round = 0; round < 50; ++round) {
      pipeline p;
      auto in = p.source<int>({.capacity = 1}, endless);
      auto out = p.stage(in, {.workers = 4, .capacity = 1, .ordered = true}, [round](int v) -> result<int> {
        if (v == round) return named("round");
        return v;
      });
      p.sink(out, {}, [](int) {});
      EXPECT_EQ(p.wait().message(), "round");
    }
  });
}

TEST_P(OrderedStage, EndsWhenNobodyReceives) {
  run([] {
    pipeline p;
    auto in = p.source<int>({.capacity = 1}, endless);
    {
      auto out = p.stage(in, {.workers = 4, .capacity = 2, .ordered = true}, [](int v) { return v; });
      EXPECT_EQ(out.recv(), 0);
      EXPECT_EQ(out.recv(), 1);
    }
    EXPECT_FALSE(p.wait());
  });
}

// Its move throws when it is told to.
struct fragile {
  explicit fragile(int v, std::shared_ptr<std::atomic<int>> moves_left) : value(v), left(std::move(moves_left)) {}
  fragile(fragile&& other) : value(other.value), left(other.left) {
    if (left && left->fetch_sub(1) == 0) throw std::runtime_error("move");
  }
  int value;
  std::shared_ptr<std::atomic<int>> left;
};

TEST_P(OrderedStage, AThrowingMoveIsAnError) {
  run([] {
    for (int allowed = 0; allowed < 60; allowed += 3) {
      const auto left = std::make_shared<std::atomic<int>>(allowed);
      pipeline p;
      auto in = p.source<int>({.capacity = 1}, counting(0, 100));
      auto out = p.stage(in, {.workers = 3, .capacity = 2, .ordered = true}, [&](int v) { return fragile(v, left); });
      p.sink(out, {}, [](const fragile&) {});
      EXPECT_EQ(p.wait().message(), "move") << allowed;
    }
  });
}

TEST_P(OrderedStage, AThrowingMoveOfAnItemIsAnError) {
  run([] {
    for (int allowed = 0; allowed < 60; ++allowed) {
      const auto left = std::make_shared<std::atomic<int>>(allowed);
      pipeline p;
      auto in = p.source<fragile>({.capacity = 1}, [&](sender<fragile> to) {
        for (int i = 0; i < 100 && to.send(fragile(i, left)); ++i) {
        }
      });
      auto out = p.stage(in, {.workers = 4, .capacity = 0, .ordered = true}, [](const fragile& v) { return v.value; });
      p.sink(out, {}, [](int) {});
      EXPECT_EQ(p.wait().message(), "move") << allowed;
    }
  });
}

}  // namespace
