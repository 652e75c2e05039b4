// pipeline: stages, what their functions may look like, misuse.
#include "drained.hpp"

#include <atomic>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

namespace {

using namespace spool;
using spool_test::all_of;
using spool_test::counting;
using spool_test::endless;
using spool_test::wait_until;

class Pipeline : public spool_test::Drained {};
SPOOL_INSTANTIATE_WORKERS(Pipeline);

struct event {
  int id;
};
struct row {
  int id;
  std::string text;
};

TEST_P(Pipeline, RunsTheStagesOfTheContract) {
  run([] {
    std::vector<std::string> written;
    pipeline p{context::background(), {.name = "etl"}};
    receiver<event> in =
        p.source<event>({.name = "read", .capacity = 10}, [](const context&, sender<event> out) -> error {
          for (int i = 0; i < 100 && out.send({i}); ++i) {
          }
          return {};
        });
    receiver<row> rows = p.stage(in, {.name = "enrich", .workers = 1, .capacity = 10, .ordered = false},
                                 [](const context&, event e) -> result<row> {
                                   return row{e.id, std::to_string(e.id)};
                                 });
    p.sink(rows, {.name = "write", .workers = 1}, [&](const context&, row r) -> error {
      written.push_back(r.text);
      return {};
    });
    EXPECT_FALSE(p.wait());
    ASSERT_EQ(written.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(written[static_cast<std::size_t>(i)], std::to_string(i));
  });
}

TEST_P(Pipeline, SeveralWorkersTakeEveryItemOnce) {
  run([] {
    mutex mu;
    std::multiset<int> seen;
    pipeline p;
    auto in = p.source<int>({.capacity = 3}, counting(0, 1'000));
    auto doubled = p.stage(in, {.workers = 8, .capacity = 2}, [](const context&, int v) { return v * 2; });
    p.sink(doubled, {.workers = 3}, [&](const context&, int v) {
      const std::lock_guard guard(mu);
      seen.insert(v);
    });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(seen.size(), 1'000u);
    for (int i = 0; i < 1'000; ++i) EXPECT_EQ(seen.count(2 * i), 1u);
  });
}

TEST_P(Pipeline, WorkersRunAtTheSameTime) {
  run([] {
    std::atomic<int> inside = 0;
    pipeline p;
    auto in = p.source<int>({}, counting(0, 4));
    p.sink(in, {.workers = 4}, [&](int) {
      ++inside;
      wait_until([&] { return inside == 4; });
    });
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(Pipeline, NoMoreWorkersThanAskedFor) {
  run([] {
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    pipeline p;
    auto in = p.source<int>({}, counting(0, 200));
    p.sink(in, {.workers = 3}, [&](int) {
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      this_fiber::yield();
      --inside;
    });
    EXPECT_FALSE(p.wait());
    EXPECT_LE(most, 3);
  });
}

TEST_P(Pipeline, BackpressureReachesTheSource) {
  run([] {
    std::atomic<int> sent = 0;
    std::atomic<bool> release = false;
    std::atomic<int> got = 0;
    pipeline p;
    auto in = p.source<int>({.capacity = 2}, [&](sender<int> out) {
      while (sent < 100 && out.send(0)) ++sent;
    });
    auto passed = p.stage(in, {.capacity = 3}, [](int v) { return v; });
    p.sink(passed, {}, [&](int) {
      ++got;
      wait_until([&] { return release.load(); });
    });
    // 2 and 3 in the buffers, one in the stage and one in the sink; the source is about to send the next.
    wait_until([&] { return sent == 2 + 1 + 3 + 1; });
    for (int i = 0; i < 100; ++i) this_fiber::yield();
    EXPECT_EQ(sent, 7);
    release = true;
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(got, 100);
  });
}

TEST_P(Pipeline, RendezvousBetweenStages) {
  run([] {
    int sum = 0;
    pipeline p;
    auto in = p.source<int>({.capacity = 0}, counting(0, 100));
    auto same = p.stage(in, {.workers = 2, .capacity = 0}, [](int v) { return v; });
    p.sink(same, {}, [&](int v) { sum += v; });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(sum, 4'950);
  });
}

TEST_P(Pipeline, AStageMayDropItems) {
  run([] {
    pipeline p;
    auto in = p.source<int>({}, counting(0, 10));
    auto even = p.stage(in, {}, [](const context&, int v) -> std::optional<int> {
      if (v % 2 != 0) return std::nullopt;
      return v;
    });
    auto below_6 = p.stage(even, {}, [](int v) -> result<std::optional<int>> {
      if (v >= 6) return std::optional<int>();
      return std::optional<int>(v);
    });
    EXPECT_EQ(all_of(below_6), (std::vector{0, 2, 4}));
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(Pipeline, FunctionsMayGoWithoutTheContext) {
  run([] {
    int sum = 0;
    pipeline p;
    auto in = p.source<int>({}, [](sender<int> out) { (void)out.send(1); });
    auto next = p.stage(in, {}, [](int v) { return v + 1; });
    p.sink(next, {}, [&](int v) { sum = v; });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(sum, 2);
  });
}

TEST_P(Pipeline, WhatAFunctionReturnsByReferenceIsCopied) {
  run([] {
    const std::string word(100, 'w');
    result<std::string> shared = word;
    const channel<dead_letter<std::string>> dead;
    pipeline p;
    auto in = p.source<int>({}, counting(0, 10));
    auto words = p.stage(in, {}, [&](int) -> const std::string& { return word; });
    auto same = p.stage(words, {}, [&](const std::string&) -> result<std::string>& { return shared; });
    auto through = p.stage(same, {.on_error = dead}, [](std::string&& s) -> std::string&& { return std::move(s); });
    EXPECT_EQ(all_of(through), std::vector<std::string>(10, word));
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(*shared, word);
  });
}

TEST_P(Pipeline, SinksAndSourcesMayReturnWhateverMeansAnError) {
  run([] {
    const auto outcome_of = [](auto sink) {
      pipeline p;
      auto in = p.source<int>({}, counting(0, 1));
      p.sink(in, {}, sink);
      return p.wait();
    };
    EXPECT_FALSE(outcome_of([](int) {}));
    EXPECT_FALSE(outcome_of([](int) { return std::error_code(); }));
    EXPECT_FALSE(outcome_of([](int) -> result<int> { return 1; }));
    EXPECT_EQ(outcome_of([](int) { return errc::full; }), errc::full);
    EXPECT_EQ(outcome_of([](int) { return std::make_error_code(std::errc::io_error); }), std::errc::io_error);
    EXPECT_EQ(outcome_of([](int) -> result<void> { return errc::empty; }), errc::empty);
    pipeline p;
    auto in = p.source<int>({}, [](sender<int>) { return std::make_error_code(std::errc::io_error); });
    EXPECT_TRUE(all_of(in).empty());
    EXPECT_EQ(p.wait(), std::errc::io_error);
  });
}

TEST_P(Pipeline, CarriesWhatCanOnlyBeMoved) {
  run([] {
    int sum = 0;
    pipeline p;
    auto in = p.source<std::unique_ptr<int>>({}, [](sender<std::unique_ptr<int>> out) {
      for (int i = 0; i < 100 && out.send(std::make_unique<int>(i)); ++i) {
      }
    });
    auto plain = p.stage(in, {.workers = 2}, [](std::unique_ptr<int> v) { return v; });
    auto ordered = p.stage(std::move(plain), {.workers = 2, .ordered = true},
                           [](const context&, std::unique_ptr<int> v) -> result<std::unique_ptr<int>> { return v; });
    auto kept = p.stage(ordered, {}, [](std::unique_ptr<int>&& v) { return std::optional(std::move(v)); });
    p.sink(kept, {}, [&](const std::unique_ptr<int>& v) { sum += *v; });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(sum, 4'950);
  });
}

// Neither default-constructible nor assignable.
struct rigid {
  explicit rigid(int v) : value(v) {}
  rigid(rigid&&) = default;
  rigid& operator=(rigid&&) = delete;
  const int value;
};

TEST_P(Pipeline, ItemsNeedToBeMoveConstructibleOnly) {
  run([] {
    int sum = 0;
    pipeline p;
    auto in = p.source<rigid>({}, [](sender<rigid> out) {
      for (int i = 0; i < 10 && out.send(rigid(i)); ++i) {
      }
    });
    auto next = p.stage(in, {.workers = 2}, [](rigid v) { return rigid(v.value + 1); });
    auto ordered = p.stage(next, {.workers = 2, .ordered = true}, [](rigid v) { return v; });
    p.sink(ordered, {}, [&](rigid v) { sum += v.value; });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(sum, 55);
  });
}

TEST_P(Pipeline, AChannelOfOnesOwnMayBeTheInput) {
  run([] {
    int sum = 0;
    const channel<int> mine(2);
    pipeline p;
    p.sink(mine, {}, [&](int v) { sum += v; });
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(mine.send(i));
    mine.close();
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(sum, 45);
  });
}

TEST_P(Pipeline, APlainThreadMayFeedAndWait) {
  spool::runtime rt(options());
  const channel<int> mine(2);
  int sum = 0;
  std::unique_ptr<pipeline> p;
  rt.run([&] {
    p = std::make_unique<pipeline>();
    p->sink(mine, {}, [&](int v) { sum += v; });
    std::atomic<bool> joined = false;
    std::thread outside([&] {
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(mine.send(i));
      mine.close();
      EXPECT_FALSE(p->wait());
      joined = true;
    });
    wait_until([&] { return joined.load(); });
    outside.join();
    EXPECT_EQ(sum, 45);
  });
  p.reset();
}

TEST_P(Pipeline, SeveralStagesMayShareAnInput) {
  run([] {
    std::atomic<int> sum = 0;
    pipeline p;
    auto in = p.source<int>({.capacity = 4}, counting(0, 1'000));
    p.sink(in, {.name = "one"}, [&](int v) { sum += v; });
    p.sink(in, {.name = "other"}, [&](int v) { sum += v; });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(sum, 499'500);
  });
}

TEST_P(Pipeline, ResultsMayBeReceivedByHand) {
  run([] {
    pipeline p;
    auto in = p.source<int>({}, counting(0, 5));
    auto doubled = p.stage(in, {}, [](int v) { return 2 * v; });
    std::vector<int> got;
    for (int v : doubled) got.push_back(v);
    EXPECT_EQ(got, (std::vector{0, 2, 4, 6, 8}));
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(Pipeline, TheStreamEndsWithTheSourcesFunctionThoughSendersAreLeft) {
  run([] {
    std::optional<sender<int>> kept;
    pipeline p;
    auto in = p.source<int>({}, [&](sender<int> out) {
      (void)out.send(1);
      kept = out;
    });
    EXPECT_EQ(all_of(in), std::vector{1});
    EXPECT_FALSE(kept->send(2));
    EXPECT_FALSE(p.wait());
  });
}

TEST_P(Pipeline, NamesItsFibers) {
  run([] {
    std::string source_name;
    std::string sink_name;
    pipeline p{context::background(), {.name = "etl"}};
    auto in = p.source<int>({.name = "read"}, [&](sender<int> out) {
      source_name = this_fiber::name();
      (void)out.send(1);
    });
    p.sink(in, {.name = "write"}, [&](int) { sink_name = this_fiber::name(); });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(source_name, "etl/read");
    EXPECT_EQ(sink_name, "etl/write");
  });
}

TEST_P(Pipeline, WhatItsFunctionsHoldIsGoneWhenWaitReturns) {
  run([] {
    for (int round = 0; round < 50; ++round) {
      const auto held = std::make_shared<int>(1);
      pipeline p;
      auto in = p.source<int>({}, [held](sender<int> out) { (void)out.send(1); });
      auto next = p.stage(in, {.workers = 3}, [held](int v) { return v; });
      auto last = p.stage(next, {.workers = 3, .ordered = true}, [held](int v) { return v; });
      p.sink(last, {.workers = 2}, [held](int) {});
      EXPECT_FALSE(p.wait());
      ASSERT_EQ(held.use_count(), 1);
    }
  });
}

TEST_P(Pipeline, WaitMayBeCalledAgain) {
  run([] {
    pipeline p;
    EXPECT_FALSE(p.wait());
    EXPECT_FALSE(p.wait());
    pipeline q;
    auto in = q.source<int>({}, [](sender<int>) { return errc::full; });
    EXPECT_EQ(q.wait(), errc::full);
    EXPECT_EQ(q.wait(), errc::full);
  });
}

TEST_P(Pipeline, ItsContextCarriesTheParentsValuesAndIsDoneAfterWait) {
  run([] {
    const context_key<int> key("n");
    int seen = 0;
    pipeline p{with_value(context::background(), key, 7)};
    auto in = p.source<int>({}, [&](const context& ctx, sender<int>) { seen = *ctx.value(key); });
    EXPECT_FALSE(p.context().done());
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(seen, 7);
    EXPECT_TRUE(p.context().done());
  });
}

TEST_P(Pipeline, RefusesMisuseAndSaysWhatToDo) {
  run([] {
    pipeline p;
    auto in = p.source<int>({}, counting(0, 1));
    const auto message_of = [](auto f) -> std::string {
      try {
        f();
      } catch (const std::invalid_argument& e) {
        return e.what();
      }
      return "no std::invalid_argument";
    };
    const auto no_workers =
        message_of([&] { (void)p.stage(in, {.name = "idle", .workers = 0}, [](int v) { return v; }); });
    EXPECT_NE(no_workers.find("idle"), std::string::npos) << no_workers;
    EXPECT_NE(no_workers.find("give it 1"), std::string::npos) << no_workers;
    EXPECT_NE(message_of([&] { p.sink(in, {.name = "idle", .workers = 0}, [](int) {}); }).find("idle"),
              std::string::npos);
    EXPECT_THROW(p.sink(in, {.workers = std::size_t(-1)}, [](int) {}), std::invalid_argument);
    EXPECT_THROW((void)p.source<int>({.capacity = std::size_t(-1)}, counting(0, 1)), std::invalid_argument);
    EXPECT_THROW((void)p.stage(in, {.capacity = std::size_t(-1)}, [](int v) { return v; }), std::invalid_argument);
    EXPECT_THROW(p.sink(channel<int>(nullptr), {}, [](int) {}), std::invalid_argument);
    p.sink(in, {}, [](int) {});
    EXPECT_FALSE(p.wait());
    EXPECT_THROW(p.sink(in, {}, [](int) {}), std::logic_error);
    EXPECT_THROW((void)p.stage(in, {}, [](int v) { return v; }), std::logic_error);
    EXPECT_THROW((void)p.source<int>({}, counting(0, 1)), std::logic_error);
  });
}

TEST(PipelineOnAPlainThread, IsRefused) { EXPECT_THROW(pipeline(), std::logic_error); }

}  // namespace
