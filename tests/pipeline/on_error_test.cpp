// What becomes of items that fail: stop, skip, a decision, dead letters.
#include "drained.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>

namespace {

using namespace spool;
using spool_test::all_of;
using spool_test::counting;
using spool_test::endless;
using spool_test::named;
using spool_test::wait_until;

class OnError : public spool_test::Drained {};
SPOOL_INSTANTIATE_WORKERS(OnError);

result<int> odd_only(const context&, int v) {
  if (v % 2 == 0) return named("even");
  if (v == 7) throw std::runtime_error("seven");
  return v;
}

TEST_P(OnError, StopIsTheDefault) {
  run([] {
    pipeline p;
    auto in = p.source<int>({}, counting(0, 10));
    auto out = p.stage(in, {}, odd_only);
    EXPECT_TRUE(all_of(out).empty());
    EXPECT_EQ(p.wait().message(), "even");
  });
}

TEST_P(OnError, SkipLeavesTheItemOut) {
  run([] {
    std::atomic<int> passed = 0;
    pipeline p;
    auto in = p.source<int>({}, counting(0, 10));
    auto out = p.stage(in, {.on_error = on_error::skip}, odd_only);
    p.sink(out, {.on_error = on_error::skip}, [&](int v) -> error {
      if (v == 5) return named("five");
      if (v == 9) throw 9;
      ++passed;
      return {};
    });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(passed, 2) << "1 and 3";
  });
}

TEST_P(OnError, AFunctionDecidesItemByItem) {
  run([] {
    std::atomic<int> asked = 0;
    const auto decide = [&](const error& e) {
      ++asked;
      return e.message() == "even" ? on_error::skip : on_error::stop;
    };
    pipeline p;
    auto in = p.source<int>({}, counting(0, 10));
    auto out = p.stage(in, {.on_error = decide}, odd_only);
    p.sink(out, {}, [](int) {});
    EXPECT_EQ(p.wait().message(), "seven");
    EXPECT_EQ(asked, 5) << "0, 2, 4, 6, 7";
  });
}

TEST_P(OnError, ADecisionThatThrowsStops) {
  run([] {
    pipeline p;
    auto in = p.source<int>({}, counting(0, 10));
    auto out =
        p.stage(in, {.on_error = [](const error&) -> on_error { throw std::runtime_error("undecided"); }}, odd_only);
    EXPECT_TRUE(all_of(out).empty());
    EXPECT_EQ(p.wait().message(), "undecided");
  });
}

TEST_P(OnError, DeadLettersCarryItemErrorAndStage) {
  run([] {
    channel<dead_letter<int>> dead(100);
    pipeline p;
    auto in = p.source<int>({}, counting(0, 10));
    auto out = p.stage(in, {.name = "odd", .on_error = dead}, odd_only);
    EXPECT_EQ(all_of(out), (std::vector{1, 3, 5, 9}));
    EXPECT_FALSE(p.wait());
    std::vector<int> items;
    for (const dead_letter<int>& letter : dead) {  // ends: wait has closed it
      items.push_back(letter.item);
      EXPECT_EQ(letter.stage, "odd");
      EXPECT_EQ(letter.error.message(), letter.item == 7 ? "seven" : "even");
    }
    EXPECT_EQ(items, (std::vector{0, 2, 4, 6, 7, 8}));
  });
}

TEST_P(OnError, ASinkOfThePipelineMayReadTheDeadLetters) {
  run([] {
    std::vector<int> stored;
    std::atomic<int> good = 0;
    auto [tx, rx] = make_channel<dead_letter<int>>(1);
    pipeline p;
    auto in = p.source<int>({}, counting(0, 100));
    auto out = p.stage(in, {.workers = 4, .capacity = 1, .ordered = true, .on_error = tx}, odd_only);
    p.sink(out, {}, [&](int) { ++good; });
    p.sink(rx, {.name = "quarantine"}, [&](dead_letter<int> letter) { stored.push_back(letter.item); });
    EXPECT_FALSE(p.wait()) << "though a sender of the letters is left here";
    EXPECT_EQ(good, 49);
    EXPECT_EQ(stored.size(), 51u);
  });
}

TEST_P(OnError, SeveralStagesMayShareTheDeadLetters) {
  run([] {
    channel<dead_letter<int>> dead(4);
    std::atomic<int> letters = 0;
    pipeline p;
    auto in = p.source<int>({}, counting(0, 50));
    auto out = p.stage(in, {.on_error = dead}, odd_only);
    p.sink(out, {.workers = 2, .on_error = dead}, [](int v) { return v % 5 == 0 ? named("five") : error(); });
    p.sink(dead, {}, [&](dead_letter<int>) { ++letters; });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(letters, 25 + 1 + 5) << "even ones, 7, and 5 15 25 35 45";
  });
}

TEST_P(OnError, DeadLettersThatNobodyReadsHoldThePipelineUp) {
  run([] {
    channel<dead_letter<int>> dead(2);
    std::atomic<int> calls = 0;
    pipeline p;
    auto in = p.source<int>({}, endless);
    p.sink(in, {.on_error = dead}, [&](int) {
      ++calls;
      return named("all");
    });
    wait_until([&] { return calls == 3 && dead.size() == 2; });
    for (int i = 0; i < 100; ++i) this_fiber::yield();
    EXPECT_EQ(calls, 3);
    EXPECT_TRUE(dead.recv());
    wait_until([&] { return calls == 4; });
  });  // the destructor cancels, which ends the wait
}

TEST_P(OnError, CancellationEndsTheWaitForRoomForADeadLetter) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    channel<dead_letter<int>> dead;
    std::atomic<int> calls = 0;
    pipeline p{scope.ctx()};
    auto in = p.source<int>({}, endless);
    auto out = p.stage(in, {.workers = 3, .ordered = true, .on_error = dead}, [&](int) -> result<int> {
      ++calls;
      return named("all");
    });
    wait_until([&] { return calls == 3; });
    scope.cancel();
    EXPECT_EQ(p.wait(), errc::canceled);
  });
}

TEST_P(OnError, DeadLettersOfAStageAddedTooLateCloseAsWell) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    const channel<dead_letter<int>> dead(1);
    pipeline p{scope.ctx()};
    auto ended = p.source<int>({}, endless);
    auto in = p.source<int>({}, endless);
    scope.cancel();
    (void)all_of(ended);  // its end: the pipeline has closed its channels
    p.sink(in, {.on_error = dead}, [](int) {});
    EXPECT_EQ(p.wait(), errc::canceled);
    EXPECT_TRUE(dead.closed()) << "a receiver of the letters would wait for ever";
  });
}

TEST_P(OnError, DeadLettersWithoutReceiverStop) {
  run([] {
    auto [tx, rx] = make_channel<dead_letter<int>>(10);
    { auto gone = std::move(rx); }
    pipeline p;
    auto in = p.source<int>({}, endless);
    p.sink(in, {.on_error = tx}, [](int v) { return v == 3 ? named("three") : error(); });
    EXPECT_EQ(p.wait().message(), "three");
  });
}

TEST_P(OnError, TheItemOfADeadLetterIsWhole) {
  run([] {
    channel<dead_letter<std::string>> dead(10);
    const std::string text(100, 'x');
    pipeline p;
    auto in = p.source<std::string>({}, [&](sender<std::string> out) {
      for (int i = 0; i < 3; ++i) (void)out.send(text);
    });
    // Takes the item over before it fails.
    auto by_value = p.stage(in, {.on_error = dead}, [](const context&, std::string s) -> result<std::string> {
      const std::string taken = std::move(s);
      return named("no");
    });
    EXPECT_TRUE(all_of(by_value).empty());
    EXPECT_FALSE(p.wait());
    int letters = 0;
    for (const auto& letter : dead) {
      EXPECT_EQ(letter.item, text);
      ++letters;
    }
    EXPECT_EQ(letters, 3);
  });
}

TEST_P(OnError, AnItemTakenAsRvalueIsCopiedForItsDeadLetter) {
  run([] {
    channel<dead_letter<std::string>> dead(10);
    pipeline p;
    auto in = p.source<std::string>({}, [](sender<std::string> out) { (void)out.send("abc"); });
    p.sink(in, {.on_error = dead}, [](std::string&& s) {
      const std::string taken = std::move(s);
      return named(taken);
    });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(dead.recv()->item, "abc");
  });
}

TEST_P(OnError, MoveOnlyItemsTakenByReferenceGetDeadLetters) {
  run([] {
    channel<dead_letter<std::unique_ptr<int>>> dead(10);
    pipeline p;
    auto in = p.source<std::unique_ptr<int>>({}, [](sender<std::unique_ptr<int>> out) {
      for (int i = 0; i < 4; ++i) (void)out.send(std::make_unique<int>(i));
    });
    auto out = p.stage(in, {.on_error = dead}, [](std::unique_ptr<int>& item) -> result<std::unique_ptr<int>> {
      if (*item % 2 != 0) return named("odd");
      return std::move(item);
    });
    int sum = 0;
    p.sink(out, {}, [&](std::unique_ptr<int> v) { sum += *v; });
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(sum, 2);
    EXPECT_EQ(*dead.recv()->item, 1);
    EXPECT_EQ(*dead.recv()->item, 3);
    EXPECT_FALSE(dead.recv());
  });
}

TEST_P(OnError, AMoveOnlyItemThatTheFunctionOwnsHasNoDeadLetter) {
  run([] {
    using item = std::unique_ptr<int>;
    channel<dead_letter<item>> dead(1);
    pipeline p;
    channel<item> in(1);
    in.close();
    try {
      (void)p.stage(in, {.name = "owner", .on_error = dead}, [](item v) { return v; });
      ADD_FAILURE() << "no exception";
    } catch (const std::invalid_argument& e) {
      EXPECT_NE(std::string(e.what()).find("owner"), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("by reference"), std::string::npos) << e.what();
    }
    p.sink(in, {.on_error = on_error::skip}, [](item) {});
    EXPECT_FALSE(p.wait());
  });
}

}  // namespace
