// merge and fan_out: several streams as one, one for several.
#include "drained.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <stdexcept>

namespace {

using namespace spool;
using spool_test::all_of;
using spool_test::counting;
using spool_test::endless;
using spool_test::named;
using spool_test::wait_until;

class Merge : public spool_test::Drained {};
SPOOL_INSTANTIATE_WORKERS(Merge);
class FanOut : public spool_test::Drained {};
SPOOL_INSTANTIATE_WORKERS(FanOut);

// The numbers [first, last), sent by a fiber that closes afterwards.
receiver<int> stream(int first, int last, std::size_t capacity = 0) {
  auto [tx, rx] = make_channel<int>(capacity);
  go([tx = std::move(tx), first, last] {
    for (int i = first; i < last && tx.send(i); ++i) {
    }
  });
  return std::move(rx);
}

// Sends until refused; says so by closing the channel returned.
channel<int> send_until_refused(sender<int> to) {
  const channel<int> refused;
  go([to = std::move(to), refused] {
    while (to.send(1)) {
    }
    refused.close();
  });
  return refused;
}

TEST_P(Merge, GivesEveryItemAndKeepsEachInputsOrder) {
  run([] {
    const auto items = all_of(merge(stream(0, 100), stream(100, 200, 5), stream(200, 300, 50)));
    EXPECT_EQ(items.size(), 300u);
    std::vector<int> sorted = items;
    std::stable_sort(sorted.begin(), sorted.end(), [](int a, int b) { return a / 100 < b / 100; });
    std::vector<int> expected(300);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(sorted, expected);
  });
}

TEST_P(Merge, TakesChannelsAndReceiversTogether) {
  run([] {
    const channel<int> mine(2);
    EXPECT_TRUE(mine.send(1));
    EXPECT_TRUE(mine.send(2));
    mine.close();
    auto items = all_of(merge(mine, stream(3, 5)));
    std::sort(items.begin(), items.end());
    EXPECT_EQ(items, (std::vector{1, 2, 3, 4}));
    EXPECT_EQ(all_of(merge(stream(0, 3))), (std::vector{0, 1, 2}));
  });
}

TEST_P(Merge, TakesAVector) {
  run([] {
    std::vector<receiver<int>> inputs;
    for (int i = 0; i < 10; ++i) inputs.push_back(stream(0, 10));
    EXPECT_EQ(all_of(merge(std::move(inputs))).size(), 100u);
    EXPECT_TRUE(all_of(merge(std::vector<receiver<int>>())).empty());
    channel<int> closed;
    closed.close();
    EXPECT_TRUE(all_of(merge(std::vector{closed, closed})).empty());
  });
}

TEST_P(Merge, StaysOpenUntilTheLastInputCloses) {
  run([] {
    auto [tx, open] = make_channel<int>();
    const auto merged = merge(stream(0, 2), open);
    EXPECT_TRUE(merged.recv());
    EXPECT_TRUE(merged.recv());
    for (int i = 0; i < 50; ++i) this_fiber::yield();
    EXPECT_EQ(merged.try_recv().error(), errc::empty);
    EXPECT_TRUE(tx.send(7));
    EXPECT_EQ(merged.recv(), 7);
    tx.close();
    EXPECT_FALSE(merged.recv());
  });
}

TEST_P(Merge, CarriesWhatCanOnlyBeMoved) {
  run([] {
    channel<std::unique_ptr<int>> a(1);
    channel<std::unique_ptr<int>> b(1);
    EXPECT_TRUE(a.send(std::make_unique<int>(1)));
    EXPECT_TRUE(b.send(std::make_unique<int>(2)));
    a.close();
    b.close();
    int sum = 0;
    for (auto& item : all_of(merge(a, b))) sum += *item;
    EXPECT_EQ(sum, 3);
  });
}

TEST_P(Merge, DroppedLetsSendersSeeClosed) {
  run([] {
    auto [tx, rx] = make_channel<int>(1);
    const channel<int> mine;
    const auto refused = send_until_refused(tx);
    const auto mine_refused = send_until_refused(mine);
    {
      const auto merged = merge(rx, mine);
      EXPECT_TRUE(merged.recv());
    }
    EXPECT_FALSE(refused.recv());
    EXPECT_FALSE(mine_refused.recv());
    EXPECT_TRUE(mine.closed());
  });
}

TEST_P(Merge, RefusesNil) {
  run([] {
    EXPECT_THROW((void)merge(stream(0, 0), channel<int>(nullptr)), std::invalid_argument);
    channel<int> moved_from;
    const channel<int> taken = std::move(moved_from);
    EXPECT_THROW((void)merge(moved_from), std::logic_error);
  });
}

TEST_P(FanOut, GivesEachItemToOneReceiver) {
  run([] {
    mutex mu;
    std::vector<int> seen;
    wait_group readers;
    for (auto& out : fan_out(stream(0, 500, 3), 4)) {
      readers.go([&, out = std::move(out)] {
        for (int v : out) {
          const std::lock_guard guard(mu);
          seen.push_back(v);
        }
      });
    }
    readers.wait();
    std::sort(seen.begin(), seen.end());
    std::vector<int> expected(500);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(seen, expected);
  });
}

TEST_P(FanOut, ABusyReceiverHoldsNobodyUp) {
  run([] {
    const auto outs = fan_out(stream(0, 10), 2);
    // Nobody receives from the second one.
    EXPECT_EQ(all_of(outs[0]).size(), 10u);
    EXPECT_FALSE(outs[1].recv());
  });
}

TEST_P(FanOut, OneReceiverGoneLeavesTheItemsToTheOthers) {
  run([] {
    auto outs = fan_out(stream(0, 10), 3);
    outs.erase(outs.begin());
    EXPECT_TRUE(outs[0].recv());
    outs.pop_back();
    EXPECT_EQ(all_of(outs[0]).size(), 9u);
  });
}

TEST_P(FanOut, DroppedLetsSendersSeeClosed) {
  run([] {
    auto [tx, rx] = make_channel<int>(1);
    const auto refused = send_until_refused(tx);
    {
      const auto outs = fan_out(rx, 3);
      EXPECT_TRUE(outs[1].recv());
    }
    EXPECT_FALSE(refused.recv());
  });
}

TEST_P(FanOut, AndMergeAgain) {
  run([] {
    EXPECT_EQ(all_of(merge(fan_out(merge(fan_out(stream(0, 200), 3)), 2))).size(), 200u);
    channel<std::unique_ptr<int>> in(1);
    EXPECT_TRUE(in.send(std::make_unique<int>(5)));
    in.close();
    EXPECT_EQ(**merge(fan_out(in, 2)).recv(), 5);
  });
}

TEST_P(FanOut, RefusesNoReceiversAndNil) {
  run([] {
    EXPECT_THROW((void)fan_out(stream(0, 0), 0), std::invalid_argument);
    EXPECT_THROW((void)fan_out(channel<int>(nullptr), 1), std::invalid_argument);
  });
}

TEST_P(FanOut, BetweenStagesEndsWithThePipeline) {
  run([] {
    for (const bool fails : {false, true}) {
      std::atomic<int> seen = 0;
      pipeline p;
      auto in = fails ? p.source<int>({.capacity = 1}, endless) : p.source<int>({.capacity = 1}, counting(0, 500));
      const auto outs = fan_out(in, 3);
      for (const auto& out : outs) {
        p.sink(out, {}, [&](int) { return fails && ++seen > 100 ? named("enough") : error(); });
      }
      EXPECT_EQ(p.wait().message(), fails ? "enough" : "");
      if (fails) continue;
      EXPECT_FALSE(outs[0].recv());
    }
  });
}

TEST_P(FanOut, AStageDroppedBehindItEndsTheSource) {
  run([] {
    pipeline p;
    auto in = p.source<int>({.capacity = 1}, endless);
    auto merged = merge(fan_out(in, 2));
    {
      auto dropped = p.stage(merged, {.capacity = 1}, [](int v) { return v; });
    }
    EXPECT_FALSE(p.wait());
  });
}

TEST(MergeOnAPlainThread, IsRefused) {
  channel<int> in;
  EXPECT_THROW((void)merge(in), std::logic_error);
  EXPECT_THROW((void)fan_out(in, 2), std::logic_error);
}

}  // namespace
