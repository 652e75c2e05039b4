// select as far as it need not wait for others; on a plain thread with no runtime.
#include "parked.hpp"

#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using spool::channel;
using spool::channel_status;
using spool::on_timeout;
using spool::select;
using spool::select_case;

TEST(Select, ReceivesWhatIsThere) {
  channel<int> a(1), b(1);
  EXPECT_TRUE(b.send(5));
  int got = 0;
  EXPECT_EQ(select(on_recv(a), on_recv(b, [&](std::optional<int> v) { got = v.value(); })), 1u);
  EXPECT_EQ(got, 5);
  EXPECT_EQ(b.size(), 0u);
}

TEST(Select, SendsWhereThereIsRoom) {
  channel<int> full(1), free(1);
  EXPECT_TRUE(full.send(1));
  bool handled = false;
  EXPECT_EQ(select(on_send(full, 2), on_send(free, 3, [&] { handled = true; })), 1u);
  EXPECT_TRUE(handled);
  EXPECT_EQ(free.recv(), 3);
  EXPECT_EQ(full.size(), 1u);
}

TEST(Select, HoldsChannelsNoLongerThanItsCases) {
  const channel<int> a(1), b(1);
  const auto references = [](const channel<int>& c) { return spool::detail::handle_access::base(c, "test")->references(); };
  auto kept = on_recv(a);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(a.send(1));
    select(kept, on_send(b, 2));
    EXPECT_EQ(references(a), 2u);
    EXPECT_EQ(references(b), 1u);
    (void)a.try_recv();
    (void)b.try_recv();
  }
  EXPECT_TRUE(a.send(1));
  unsigned inside = 0;
  select(on_recv(a, [&] { inside = references(a); }), on_recv(b));
  EXPECT_EQ(inside, 2u) << "what is received is received; the case needs the channel no more";
}

TEST(Select, AHandlerMayDropTheLastHandle) {
  std::optional<channel<std::shared_ptr<int>>> a(1);
  const auto buffered = std::make_shared<int>(1);
  EXPECT_TRUE(a->send(buffered));
  select(on_recv(*a, [&] { a.reset(); }), on_timeout(10s));
  EXPECT_EQ(buffered.use_count(), 1);
  a.emplace(1);
  auto sent = buffered;
  select(on_send(*a, std::move(sent), [&] { a.reset(); }), on_timeout(10s));
  EXPECT_EQ(buffered.use_count(), 1);
}

TEST(Select, ACaseThatWasMovedIntoItIsOfNoChannelAfterwards) {
  const channel<int> a(2);
  auto once = on_recv(a);
  EXPECT_TRUE(a.send(1));
  EXPECT_TRUE(a.send(2));
  EXPECT_EQ(select(std::move(once), on_timeout(10s)), 0u);
  EXPECT_EQ(select(once, spool::otherwise()), 1u);
  EXPECT_EQ(a.size(), 1u);
}

TEST(Select, LosingSendKeepsItsValue) {
  channel<std::unique_ptr<int>> full(1), free(1);
  EXPECT_TRUE(full.send(nullptr));
  auto loser = std::make_unique<int>(1), winner = std::make_unique<int>(2);
  EXPECT_EQ(select(on_send(full, std::move(loser)), on_send(free, std::move(winner))), 1u);
  EXPECT_NE(loser, nullptr);
  EXPECT_EQ(winner, nullptr);
}

TEST(Select, BothSendsReadyOnlyOneIsMovedFrom) {
  for (int i = 0; i < 50; ++i) {
    channel<std::unique_ptr<int>> a(1), b(1);
    auto x = std::make_unique<int>(1), y = std::make_unique<int>(2);
    const std::size_t chosen = select(on_send(a, std::move(x)), on_send(b, std::move(y)));
    EXPECT_EQ(x == nullptr, chosen == 0);
    EXPECT_EQ(y == nullptr, chosen == 1);
    EXPECT_EQ(a.size() + b.size(), 1u);
  }
}

TEST(Select, CopySendLeavesTheOriginal) {
  channel<std::string> ch(1);
  const std::string text = "long enough to live on the heap, this text";
  EXPECT_EQ(select(on_send(ch, text)), 0u);
  EXPECT_EQ(text, "long enough to live on the heap, this text");
  EXPECT_EQ(ch.recv(), text);
}

TEST(Select, ClosedChannelIsReadyToReceive) {
  channel<int> open, closed(1);
  EXPECT_TRUE(closed.send(1));
  closed.close();
  std::vector<std::optional<int>> got;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(select(on_recv(open), on_recv(closed, [&](std::optional<int> v) { got.push_back(v); })), 1u);
  }
  EXPECT_EQ(got, (std::vector<std::optional<int>>{1, std::nullopt}));
}

TEST(Select, ClosedChannelIsReadyToSendAndTellsFalse) {
  channel<std::unique_ptr<int>> ch(1);
  ch.close();
  auto value = std::make_unique<int>(1);
  std::optional<bool> sent;
  EXPECT_EQ(select(on_send(ch, std::move(value), [&](bool ok) { sent = ok; })), 0u);
  EXPECT_EQ(sent, false);
  EXPECT_NE(value, nullptr);
  bool ran = false;
  EXPECT_EQ(select(on_send(ch, std::move(value), [&] { ran = true; })), 0u);
  EXPECT_TRUE(ran);
}

TEST(Select, CopySendOnClosedTellsFalse) {
  channel<std::string> ch(1);
  ch.close();
  const std::string text = "x";
  std::optional<bool> sent;
  EXPECT_EQ(select(on_send(ch, text, [&](bool ok) { sent = ok; })), 0u);
  EXPECT_EQ(sent, false);
}

TEST(Select, SuccessfulSendTellsTrue) {
  channel<int> ch(1);
  std::optional<bool> sent;
  select(on_send(ch, 1, [&](bool ok) { sent = ok; }));
  EXPECT_EQ(sent, true);
}

TEST(Select, OtherwiseOnlyWhenNothingIsReady) {
  channel<int> ch(1);
  bool ran = false;
  EXPECT_EQ(select(on_recv(ch), spool::otherwise([&] { ran = true; })), 1u);
  EXPECT_TRUE(ran);
  EXPECT_TRUE(ch.send(1));
  ran = false;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(select(spool::otherwise([&] { ran = true; }), on_recv(ch)), 1u);
    EXPECT_TRUE(ch.send(1));
  }
  EXPECT_FALSE(ran);
}

TEST(Select, OtherwiseAloneRuns) { EXPECT_EQ(select(spool::otherwise()), 0u); }

TEST(Select, NilChannelsAreNeverChosen) {
  channel<int> nil = nullptr, real(1);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(select(on_recv(nil), on_send(nil, 1), on_send(real, 2)), 2u);
    EXPECT_EQ(select(on_recv(nil), on_recv(real), on_send(nil, 1)), 1u);
    EXPECT_EQ(select(on_recv(nil), on_send(nil, 1), spool::otherwise()), 2u);
  }
  const int copied = 1;
  EXPECT_EQ(select(on_recv(nil), on_send(nil, copied), on_timeout(2ms)), 2u);
}

TEST(Select, TimeoutRunsAfterItsTime) {
  channel<int> ch;
  const auto begin = std::chrono::steady_clock::now();
  bool ran = false;
  EXPECT_EQ(select(on_recv(ch), on_timeout(5ms, [&] { ran = true; })), 1u);
  EXPECT_TRUE(ran);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
  EXPECT_EQ(ch.try_send(1), channel_status::full);  // nothing stays behind in the queue
}

TEST(Select, ShortestTimeoutWins) {
  channel<int> ch;
  EXPECT_EQ(select(on_timeout(1h), on_recv(ch), on_timeout(1ms), on_timeout(30min)), 2u);
}

TEST(Select, TimeoutOfZeroIsReadyAtOnce) {
  channel<int> ch;
  EXPECT_EQ(select(on_timeout(0s), on_recv(ch)), 0u);
  EXPECT_EQ(select(on_timeout(-5s), on_recv(ch)), 0u);
  EXPECT_EQ(select(on_timeout(0s), spool::otherwise()), 0u);
  EXPECT_EQ(select(on_timeout(1h), spool::otherwise()), 1u);
}

TEST(Select, HugeTimeoutNeverEnds) {
  channel<int> ch(1);
  EXPECT_TRUE(ch.send(1));
  EXPECT_EQ(select(on_timeout(std::chrono::hours::max()), on_recv(ch)), 1u);
  std::thread closer([ch] {
    spool_test::await_receivers(ch, 1);
    ch.close();
  });
  EXPECT_EQ(select(on_timeout(std::chrono::hours::max()), on_recv(ch)), 1u);
  closer.join();
}

TEST(Select, TimeoutStartsWithTheSelect) {
  channel<int> ch;
  std::vector<select_case> cases{on_recv(ch), on_timeout(3ms)};
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(select(cases), 1u);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3ms);
  }
}

TEST(Select, DoneContextIsReady) {
  channel<int> ch;
  auto scope = spool::with_cancel(spool::context::background());
  EXPECT_EQ(select(on_recv(ch), on_done(scope.ctx()), spool::otherwise()), 2u);
  scope.cancel();
  bool ran = false;
  EXPECT_EQ(select(on_recv(ch), on_done(scope.ctx(), [&] { ran = true; })), 1u);
  EXPECT_TRUE(ran);
}

TEST(Select, DeadlineOfAContextEndsIt) {
  channel<int> ch;
  auto scope = spool::with_timeout(spool::context::background(), 3ms);
  EXPECT_EQ(select(on_recv(ch), on_done(scope.ctx())), 1u);
}

TEST(Select, HandlersAreOptional) {
  channel<int> ch(1);
  EXPECT_EQ(select(on_send(ch, 4)), 0u);
  EXPECT_EQ(select(on_recv(ch)), 0u);
  EXPECT_EQ(ch.size(), 0u);
}

TEST(Select, ReceiveHandlerMayIgnoreTheValue) {
  channel<int> ch(1);
  EXPECT_TRUE(ch.send(1));
  bool ran = false;
  EXPECT_EQ(select(on_recv(ch, [&] { ran = true; })), 0u);
  EXPECT_TRUE(ran);
}

TEST(Select, HandlersMayOnlyMove) {
  channel<std::unique_ptr<int>> ch(1);
  auto held = std::make_unique<int>(1);
  int sum = 0;
  EXPECT_TRUE(ch.send(std::make_unique<int>(2)));
  select(on_recv(ch, [&sum, held = std::move(held)](std::optional<std::unique_ptr<int>> v) { sum = *held + **v; }));
  EXPECT_EQ(sum, 3);
}

TEST(Select, ExactlyOneHandlerRuns) {
  channel<int> a(1), b(1);
  for (int i = 0; i < 50; ++i) {
    const channel_status expected = a.size() == 0 ? channel_status::ok : channel_status::full;
    EXPECT_EQ(a.try_send(1), expected);
    (void)b.try_send(1);
    int ran = 0;
    select(on_recv(a, [&] { ++ran; }), on_recv(b, [&] { ++ran; }), on_timeout(0s, [&] { ++ran; }));
    EXPECT_EQ(ran, 1);
  }
}

TEST(Select, HandlerRunsAfterTheCommitAndMayUseTheChannel) {
  channel<int> ch(1);
  EXPECT_TRUE(ch.send(1));
  select(on_recv(ch, [&](std::optional<int> v) {
    EXPECT_EQ(ch.size(), 0u);
    EXPECT_TRUE(ch.send(*v + 1));
    EXPECT_EQ(select(on_recv(ch)), 0u);
  }));
  EXPECT_EQ(ch.size(), 0u);
}

TEST(Select, HandlerExceptionPassesAfterTheCommit) {
  channel<int> ch(1);
  EXPECT_TRUE(ch.send(1));
  EXPECT_THROW(select(on_recv(ch, [] { throw std::runtime_error("handler"); })), std::runtime_error);
  EXPECT_EQ(ch.size(), 0u);
}

TEST(Select, SameChannelInSeveralCases) {
  channel<int> ch(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ch.send(i));
  std::vector<int> got;
  const auto take = [&](std::optional<int> v) { got.push_back(*v); };
  for (int i = 0; i < 3; ++i) select(on_recv(ch, take), on_recv(ch, take), on_recv(ch, take));
  EXPECT_EQ(got, (std::vector{0, 1, 2}));
}

TEST(Select, NeverMeetsItself) {
  channel<int> ch;
  for (int i = 0; i < 20; ++i) {
    int value = 1;
    EXPECT_EQ(select(on_recv(ch), on_send(ch, value), spool::otherwise()), 2u);
    EXPECT_EQ(select(on_recv(ch), on_send(ch, std::move(value)), on_timeout(200us)), 2u);
  }
}

TEST(Select, BothDirectionsOfABufferedChannel) {
  channel<int> ch(1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(select(on_recv(ch), on_send(ch, i)), 1u);
    EXPECT_EQ(select(on_recv(ch), on_send(ch, i)), 0u);
  }
}

TEST(Select, CaseHoldsItsOwnHandle) {
  std::vector<select_case> cases;
  channel<int> kept = nullptr;
  {
    channel<int> ch(1);
    kept = ch;
    cases.emplace_back(on_recv(ch));
    ch = nullptr;
  }
  EXPECT_TRUE(kept.send(1));
  EXPECT_EQ(select(cases), 0u);
  EXPECT_EQ(kept.size(), 0u);
}

TEST(Select, CaseOutlivesTheChannelsLastHandle) {
  const auto message = std::make_shared<int>(7);
  channel<std::shared_ptr<int>> ch(2);
  EXPECT_TRUE(ch.send(message));
  EXPECT_TRUE(ch.send(message));
  int got = 0;
  std::optional<select_case> kept(on_recv(ch, [&](std::optional<std::shared_ptr<int>> m) { got = **m; }));
  std::optional<select_case> copy(kept);
  ch = nullptr;
  EXPECT_EQ(select(std::span(&*kept, 1)), 0u);
  EXPECT_EQ(got, 7);
  kept.reset();
  EXPECT_EQ(message.use_count(), 2);
  copy.reset();
  EXPECT_EQ(message.use_count(), 1);
}

TEST(Select, AChannelEndsWithItsLastCaseOnWhateverThread) {
  spool::runtime rt({.threads = 2});
  rt.run([] {
    for (int round = 0; round < 200; ++round) {
      const auto message = std::make_shared<int>(round);
      channel<std::shared_ptr<int>> ch(1);
      EXPECT_TRUE(ch.send(message));
      {
        auto mine = on_recv(ch);
        auto theirs = mine;
        std::thread([theirs = std::move(theirs), last = std::move(ch)] {}).join();
        EXPECT_EQ(message.use_count(), 2);
      }
      EXPECT_EQ(message.use_count(), 1);
    }
  });
}

TEST(SelectFairness, ReadyCasesAreChosenUniformly) {
  for (std::size_t n : {2u, 3u, 5u}) {
    std::vector<channel<int>> channels;
    std::vector<select_case> cases;
    for (std::size_t i = 0; i < n; ++i) {
      channels.emplace_back(std::size_t{1});
      channels.back().close();
      cases.emplace_back(on_recv(channels.back()));
    }
    constexpr int rounds = 20000;
    std::vector<int> hits(n);
    for (int i = 0; i < rounds; ++i) ++hits[select(cases)];
    const double expected = double{rounds} / static_cast<double>(n);
    const double sigma = std::sqrt(expected * (1 - 1 / static_cast<double>(n)));
    for (int h : hits) EXPECT_NEAR(h, expected, 6 * sigma) << "of " << n;
  }
}

TEST(SelectFairness, IsUniformAmongTheReadyOnly) {
  // Rotating from a random start would favour the case that follows those that are not ready.
  channel<int> a(1), b(1), never;
  a.close();
  b.close();
  constexpr int rounds = 20000;
  int first = 0;
  for (int i = 0; i < rounds; ++i) first += select(on_recv(a), on_recv(never), on_recv(never), on_recv(b)) == 0 ? 1 : 0;
  EXPECT_NEAR(first, rounds / 2, 6 * std::sqrt(rounds / 4.0));
}

TEST(SelectFairness, ContextsAndTimeoutsTakePartInTheDraw) {
  auto scope = spool::with_cancel(spool::context::background());
  scope.cancel();
  channel<int> closed;
  closed.close();
  std::array<int, 3> hits{};
  for (int i = 0; i < 3000; ++i) ++hits[select(on_done(scope.ctx()), on_recv(closed), on_timeout(0s))];
  for (int h : hits) EXPECT_NEAR(h, 1000, 200);
}

TEST(SelectSpan, TakesAnyContiguousRange) {
  channel<int> ch(4);
  int one = 1, two = 2;
  std::vector<select_case> vector{on_send(ch, std::move(one))};
  EXPECT_EQ(select(vector), 0u);
  std::array<select_case, 2> array{on_send(ch, std::move(two)), spool::otherwise()};
  EXPECT_EQ(select(array), 0u);
  select_case plain[] = {on_recv(channel<int>(nullptr)), on_recv(ch)};
  EXPECT_EQ(select(plain), 1u);
  EXPECT_EQ(select(std::span<select_case>(plain).subspan(1)), 0u);
}

TEST(SelectSpan, RunsTheHandlerAndReturnsTheIndex) {
  std::vector<channel<int>> channels;
  std::vector<select_case> cases;
  int got = 0;
  for (int i = 0; i < 40; ++i) {  // beyond what fits the stack
    channels.emplace_back(std::size_t{1});
    cases.emplace_back(on_recv(channels.back(), [&got, i](std::optional<int> v) { got = *v * 100 + i; }));
  }
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_TRUE(channels[i].send(1));
    EXPECT_EQ(select(cases), i);
    EXPECT_EQ(got, 100 + static_cast<int>(i));
  }
}

TEST(SelectSpan, TwoOtherwisesAreMisuse) {
  std::vector<select_case> cases{spool::otherwise(), spool::otherwise()};
  EXPECT_THROW(select(cases), std::logic_error);
}

TEST(SelectSpan, ASendIsReusableWithANewValue) {
  channel<std::unique_ptr<int>> ch(1);
  std::unique_ptr<int> value;
  std::vector<select_case> cases{on_send(ch, std::move(value))};
  for (int i = 0; i < 3; ++i) {
    value = std::make_unique<int>(i);
    EXPECT_EQ(select(cases), 0u);
    EXPECT_EQ(value, nullptr);
    EXPECT_EQ(**ch.recv(), i);
  }
}

TEST(SelectSpan, ACopySendSendsTheValueOfTheMoment) {
  channel<std::string> ch(1);
  std::string value;
  const std::string& view = value;
  std::vector<select_case> cases{on_send(ch, view)};
  for (const char* text : {"one", "two", "three"}) {
    value = text;
    EXPECT_EQ(select(cases), 0u);
    EXPECT_EQ(ch.recv(), text);
  }
}

TEST(SelectSpan, TheSameCaseMayStandTwice) {
  channel<int> ch(2);
  select_case one = on_recv(ch);
  std::vector<select_case> cases{one, one, on_timeout(2ms)};
  EXPECT_EQ(select(cases), 2u);
  EXPECT_TRUE(ch.send(1));
  EXPECT_LT(select(cases), 2u);
}

TEST(SelectSpan, MixesWithFixedCases) {
  channel<int> ch(1);
  select_case pending = on_recv(ch);
  EXPECT_EQ(select(pending, spool::otherwise()), 1u);
  EXPECT_TRUE(ch.send(1));
  EXPECT_EQ(select(spool::otherwise(), pending), 1u);
}
