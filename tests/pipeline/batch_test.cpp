// batch: items as vectors, by number and by time.
#include "drained.hpp"

#include <atomic>
#include <stdexcept>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool_test::all_of;
using spool_test::counting;
using spool_test::endless;
using spool_test::named;
using spool_test::wait_until;
using batches = std::vector<std::vector<int>>;

class Batch : public spool_test::Drained {};
SPOOL_INSTANTIATE_WORKERS(Batch);

channel<int> filled(int n) {
  channel<int> ch(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) EXPECT_TRUE(ch.send(i));
  return ch;
}

TEST_P(Batch, IsCompleteWithItsNumberAndFlushesOnClose) {
  run([] {
    const channel<int> in = filled(7);
    in.close();
    EXPECT_EQ(all_of(batch(in, 3, 1h)), (batches{{0, 1, 2}, {3, 4, 5}, {6}}));
    const channel<int> even = filled(4);
    even.close();
    EXPECT_EQ(all_of(batch(even, 2, 1h)), (batches{{0, 1}, {2, 3}}));
  });
}

TEST_P(Batch, OfAnEmptyStreamIsNone) {
  run([] {
    const channel<int> in;
    in.close();
    EXPECT_TRUE(all_of(batch(in, 3, 1h)).empty());
  });
}

TEST_P(Batch, TimeCompletesIt) {
  run([] {
    const channel<int> in = filled(2);
    const auto out = batch(in, 100, 1ms);
    std::size_t items = 0;
    while (items < 2) items += out.recv()->size();  // the stream stays open: only time can have ended it
    EXPECT_EQ(items, 2u);
    EXPECT_TRUE(in.send(2));
    EXPECT_EQ(out.recv(), std::vector{2});
    in.close();
    EXPECT_FALSE(out.recv());
  });
}

TEST_P(Batch, TimeCountsFromTheFirstItem) {
  run([] {
    const channel<int> in;
    const auto out = batch(in, 2, 1h);
    this_fiber::sleep_for(2ms);
    EXPECT_TRUE(in.send(1));
    for (int i = 0; i < 50; ++i) this_fiber::yield();
    EXPECT_EQ(out.try_recv().error(), errc::empty);
    EXPECT_TRUE(in.send(2));
    EXPECT_EQ(out.recv(), (std::vector{1, 2}));
    in.close();
    EXPECT_FALSE(out.recv());
  });
}

TEST_P(Batch, WithoutTimeTakesWhatIsThere) {
  run([] {
    const channel<int> in = filled(5);
    const auto out = batch(in, 3, 0s);
    EXPECT_EQ(out.recv(), (std::vector{0, 1, 2}));
    EXPECT_EQ(out.recv(), (std::vector{3, 4}));
    EXPECT_TRUE(in.send(9));
    EXPECT_EQ(out.recv(), std::vector{9});
    in.close();
    EXPECT_FALSE(out.recv());
    const channel<int> late = filled(1);
    EXPECT_EQ(batch(late, 3, -1s).recv(), std::vector{0});
    late.close();
  });
}

TEST_P(Batch, TimeCompletesItThoughItemsAreAlwaysThere) {
  run([] {
    const channel<int> in = filled(10'000);
    in.close();
    const auto out = batch(in, 10'000, 1ns);
    EXPECT_LT(out.recv()->size(), 10'000u) << "nobody receives that many in 1 ns";
    std::size_t rest = 0;
    while (out.recv()) ++rest;
    EXPECT_GT(rest, 0u);
  });
}

TEST_P(Batch, AnEndlessWaitIsAllowed) {
  run([] {
    const channel<int> in = filled(3);
    const auto out = batch(in, 2, std::chrono::hours::max());
    EXPECT_EQ(out.recv(), (std::vector{0, 1}));
    in.close();
    EXPECT_EQ(out.recv(), std::vector{2});
  });
}

TEST_P(Batch, CarriesWhatCanOnlyBeMoved) {
  run([] {
    channel<std::unique_ptr<int>> in(3);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(in.send(std::make_unique<int>(i)));
    in.close();
    const auto out = batch(std::move(in), 2, 1h);
    EXPECT_EQ(*out.recv()->at(1), 1);
    EXPECT_EQ(*out.recv()->at(0), 2);
  });
}

TEST_P(Batch, NothingIsReceivedWhileABatchWaits) {
  run([] {
    const channel<int> in = filled(10);
    const auto out = batch(in, 3, 1h);
    wait_until([&] { return in.size() == 7; });
    for (int i = 0; i < 50; ++i) this_fiber::yield();
    EXPECT_EQ(in.size(), 7u);
    in.close();
    EXPECT_EQ(all_of(out).size(), 4u);
  });
}

TEST_P(Batch, DroppedLetsSendersSeeClosed) {
  run([] {
    const channel<int> in;
    { const auto out = batch(in, 3, 1h); }
    int sent = 0;
    while (in.send(1)) ++sent;
    EXPECT_EQ(sent, 3) << "one batch";
  });
}

TEST_P(Batch, FeedsAStage) {
  run([] {
    std::size_t items = 0;
    pipeline p;
    auto in = p.source<int>({}, counting(0, 1'000));
    p.sink(batch(in, 100, 1h), {}, [&](std::vector<int> rows) {
      EXPECT_EQ(rows.size(), 100u);
      items += rows.size();
    });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(items, 1'000u);
  });
}

TEST_P(Batch, EndsWithThePipelineThoughItsReceiverIsKept) {
  run([] {
    pipeline p;
    auto in = p.source<int>({}, endless);
    auto same = p.stage(in, {}, [](int v) { return v; });
    const auto rows = batch(same, 10, 1h);
    p.sink(rows, {}, [n = 0](const std::vector<int>&) mutable { return ++n == 5 ? named("five") : error(); });
    EXPECT_EQ(p.wait().message(), "five");
    wait_until([] { return fiber_count() == 1; });
  });
}

TEST_P(Batch, RefusesNoItemsAndNil) {
  run([] {
    EXPECT_THROW((void)batch(channel<int>(), 0, 1s), std::invalid_argument);
    EXPECT_THROW((void)batch(channel<int>(nullptr), 1, 1s), std::invalid_argument);
  });
}

TEST(BatchOnAPlainThread, IsRefused) { EXPECT_THROW((void)batch(channel<int>(), 1, 1s), std::logic_error); }

}  // namespace
