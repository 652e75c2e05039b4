// select that waits: one commit, at one instant, among fibers and threads.
#include "parked.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using spool::channel;
using spool::channel_status;
using spool::go;
using spool::on_timeout;
using spool::select;
using spool::select_case;
using spool_test::await_receivers;
using spool_test::await_senders;

class SelectWait : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(SelectWait);

TEST_P(SelectWait, IsWokenByASender) {
  run([] {
    channel<int> a, b;
    go([b] { EXPECT_TRUE(b.send(3)); });
    int got = 0;
    EXPECT_EQ(select(on_recv(a), on_recv(b, [&](std::optional<int> v) { got = *v; })), 1u);
    EXPECT_EQ(got, 3);
  });
}

TEST_P(SelectWait, IsWokenByAReceiver) {
  run([] {
    channel<std::unique_ptr<int>> a, b;
    spool::wait_group all;
    all.go([b] { EXPECT_EQ(**b.recv(), 2); });
    auto x = std::make_unique<int>(1), y = std::make_unique<int>(2);
    EXPECT_EQ(select(on_send(a, std::move(x)), on_send(b, std::move(y))), 1u);
    EXPECT_NE(x, nullptr);
    EXPECT_EQ(y, nullptr);
    all.wait();
  });
}

TEST_P(SelectWait, LeavesEveryQueue) {
  run([] {
    channel<int> a, b, c;
    spool::wait_group all;
    all.go([=] { EXPECT_EQ(select(on_recv(a), on_send(b, 1), on_recv(c)), 2u); });
    await_receivers(a, 1);
    await_senders(b, 1);
    await_receivers(c, 1);
    EXPECT_TRUE(c.send(1));
    all.wait();
    EXPECT_EQ(a.try_send(1), channel_status::full);
    EXPECT_EQ(b.try_recv().error(), spool::errc::empty);
    EXPECT_EQ(spool_test::waiting(a, spool::detail::channel_side::recv), 0u);
    EXPECT_EQ(spool_test::waiting(b, spool::detail::channel_side::send), 0u);
  });
}

TEST_P(SelectWait, RegistersOnAllAtOnce) {
  run([] {
    channel<int> a, b;
    spool::wait_group all;
    all.go([=] { select(on_recv(a), on_recv(b)); });
    await_receivers(b, 1);
    EXPECT_EQ(a.try_send(1), channel_status::ok);  // whoever sees it wait on one sees it wait on both
    all.wait();
  });
}

TEST_P(SelectWait, CloseOfAChannelWakesItsCase) {
  run([] {
    channel<int> a, b;
    spool::wait_group all;
    all.go([=] {
      bool closed = false;
      EXPECT_EQ(select(on_recv(a), on_recv(b, [&](std::optional<int> v) { closed = !v; })), 1u);
      EXPECT_TRUE(closed);
    });
    await_receivers(b, 1);
    b.close();
    all.wait();

    channel<std::unique_ptr<int>> c;
    all.go([=] {
      auto mine = std::make_unique<int>(1);
      std::optional<bool> sent;
      EXPECT_EQ(select(on_send(c, std::move(mine), [&](bool ok) { sent = ok; }), on_recv(a)), 0u);
      EXPECT_EQ(sent, false);
      EXPECT_NE(mine, nullptr);
    });
    await_senders(c, 1);
    c.close();
    all.wait();
  });
}

TEST_P(SelectWait, CancellationWakesIt) {
  run([] {
    channel<int> ch;
    auto scope = spool::with_cancel(spool::context::background());
    spool::wait_group all;
    all.go([&] { EXPECT_EQ(select(on_recv(ch), on_done(scope.ctx())), 1u); });
    await_receivers(ch, 1);
    scope.cancel();
    all.wait();
    EXPECT_EQ(ch.try_send(1), channel_status::full);
  });
}

TEST_P(SelectWait, SeveralContextsNameTheOneThatIsDone) {
  run([] {
    channel<int> ch;
    auto first = spool::with_cancel(spool::context::background());
    auto second = spool::with_cancel(spool::context::background());
    spool::wait_group all;
    all.go([&] {
      EXPECT_EQ(select(on_done(first.ctx()), on_done(spool::context::background()), on_recv(ch), on_done(second.ctx())),
                3u);
    });
    await_receivers(ch, 1);
    second.cancel();
    all.wait();
  });
}

TEST_P(SelectWait, FutureWakesIt) {
  run([] {
    channel<int> ch, gate;
    auto answer = spool::async([gate] {
      (void)gate.recv();
      return 42;
    });
    spool::wait_group all;
    all.go([&] {
      bool ran = false;
      EXPECT_EQ(select(on_recv(ch), on_ready(answer, [&] { ran = true; })), 1u);
      EXPECT_TRUE(ran);
      EXPECT_EQ(answer.get(), 42);
    });
    await_receivers(ch, 1);
    gate.close();
    all.wait();
  });
}

TEST_P(SelectWait, ReadyFutureIsChosenAtOnce) {
  run([] {
    auto answer = spool::async([] { return 1; });
    answer.wait();
    channel<int> ch;
    EXPECT_EQ(select(on_recv(ch), on_ready(answer)), 1u);
    EXPECT_EQ(select(on_ready(answer), spool::otherwise()), 0u);
    EXPECT_EQ(answer.get(), 1);
    EXPECT_THROW((void)on_ready(answer), std::logic_error);
  });
}

TEST_P(SelectWait, LosingFutureIsUntouched) {
  run([] {
    channel<int> ch, gate;
    auto answer = spool::async([gate] {
      (void)gate.recv();
      return 7;
    });
    go([ch] { EXPECT_TRUE(ch.send(1)); });
    EXPECT_EQ(select(on_ready(answer), on_recv(ch)), 1u);
    gate.close();
    EXPECT_EQ(answer.get(), 7);
  });
}

TEST_P(SelectWait, TimeoutLosesToAValue) {
  run([] {
    channel<int> ch;
    go([ch] { EXPECT_TRUE(ch.send(1)); });
    EXPECT_EQ(select(on_timeout(1h), on_recv(ch)), 1u);
  });
}

TEST_P(SelectWait, TwoSelectsMeet) {
  run([] {
    channel<int> a, b;
    constexpr int rounds = 300;
    std::atomic<int> sum{0};
    spool::wait_group all;
    all.go([&, a, b] {
      for (int i = 0; i < rounds; ++i) select(on_send(a, 1), on_send(b, 1));
    });
    all.go([&, a, b] {
      for (int i = 0; i < rounds; ++i) {
        const auto add = [&](std::optional<int> v) { sum += *v; };
        select(on_recv(b, add), on_recv(a, add));
      }
    });
    all.wait();
    EXPECT_EQ(sum, rounds);
  });
}

TEST_P(SelectWait, CrossedSelectsDoNotDeadlock) {
  run([] {
    // Each offers what the other wants, in opposite orders: one of two exchanges happens per round.
    channel<int> a, b;
    constexpr int rounds = 300;
    std::atomic<int> sent{0}, received{0};
    spool::wait_group all;
    const auto offer = [&](channel<int> give, channel<int> take) {
      for (int i = 0; i < rounds; ++i) select(on_send(give, 1, [&] { ++sent; }), on_recv(take, [&] { ++received; }));
    };
    all.go([&] { offer(a, b); });
    all.go([&] { offer(b, a); });
    all.wait();
    EXPECT_EQ(sent, rounds);
    EXPECT_EQ(received, rounds);
  });
}

TEST_P(SelectWait, WaitingSelectNeverMeetsItselfButMeetsOthers) {
  run([] {
    channel<int> ch;
    constexpr int fibers = 4, rounds = 200;
    std::atomic<int> sent{0}, received{0};
    spool::wait_group all;
    for (int f = 0; f < fibers; ++f) {
      all.go([&, ch] {
        for (int i = 0; i < rounds; ++i) select(on_recv(ch, [&] { ++received; }), on_send(ch, i, [&] { ++sent; }));
      });
    }
    // The last fiber may be left alone in the channel: help it out.
    spool::wait_group helper;
    std::atomic<bool> stop{false};
    helper.go([&, ch] {
      while (!stop) {
        if (ch.try_recv().has_value()) ++received;
        spool::this_fiber::yield();
      }
    });
    all.wait();
    stop = true;
    helper.wait();
    EXPECT_EQ(sent, received);
  });
}

TEST_P(SelectWait, TwoWaitingCasesOnOneChannelTakeOneValue) {
  run([] {
    channel<int> ch;
    spool::wait_group all;
    std::atomic<int> ran{0};
    all.go([&, ch] { select(on_recv(ch, [&] { ++ran; }), on_recv(ch, [&] { ++ran; })); });
    await_receivers(ch, 2);
    EXPECT_EQ(ch.try_send(1), channel_status::ok);
    EXPECT_EQ(ch.try_send(2), channel_status::full);
    all.wait();
    EXPECT_EQ(ran, 1);
  });
}

TEST_P(SelectWait, KeepsItsPlaceAmongOtherWaiters) {
  run([] {
    channel<int> ch, other;
    std::vector<int> got(3, -1);
    spool::wait_group all;
    all.go([&] { got[0] = *ch.recv(); });
    await_receivers(ch, 1);
    all.go([&] { select(on_recv(other), on_recv(ch, [&](std::optional<int> v) { got[1] = *v; })); });
    await_receivers(ch, 2);
    all.go([&] { got[2] = *ch.recv(); });
    await_receivers(ch, 3);
    for (int v = 0; v < 3; ++v) EXPECT_TRUE(ch.send(v));
    all.wait();
    EXPECT_EQ(got, (std::vector{0, 1, 2}));
  });
}

TEST_P(SelectWait, BufferRefillsFromAWaitingSelect) {
  run([] {
    channel<int> ch(1), other;
    EXPECT_TRUE(ch.send(0));
    spool::wait_group all;
    all.go([=] { EXPECT_EQ(select(on_send(ch, 1), on_recv(other)), 0u); });
    await_senders(ch, 1);
    EXPECT_EQ(ch.recv(), 0);
    EXPECT_EQ(ch.size(), 1u);
    all.wait();
    EXPECT_EQ(ch.recv(), 1);
  });
}

TEST_P(SelectWait, OtherwiseIsDecidedAtOneInstant) {
  run([] {
    // One token moves between two channels and is never outside both, but for the mover's own hands: it puts a second
    // token in before it takes the first out. So a select with otherwise must never find both empty.
    channel<int> a(2), b(2);
    EXPECT_TRUE(a.send(1));
    std::atomic<bool> stop{false};
    spool::wait_group all;
    all.go([&] {
      while (!stop) {
        EXPECT_TRUE(b.send(1));
        EXPECT_TRUE(a.recv());
        EXPECT_TRUE(a.send(1));
        EXPECT_TRUE(b.recv());
      }
    });
    int missed = 0;
    std::thread looker([&] {
      for (int i = 0; i < 5000; ++i) {
        select(on_recv(a, [&](std::optional<int>) { (void)a.try_send(1); }),
               on_recv(b, [&](std::optional<int>) { (void)b.try_send(1); }), spool::otherwise([&] { ++missed; }));
      }
      stop = true;
    });
    all.wait();
    looker.join();
    EXPECT_EQ(missed, 0);
  });
}

// One can always receive from an open channel, or send to it. `look` counts what it misses.
void look_while_a_value_comes_and_goes(const std::function<void(const channel<int>&)>& look) {
  const channel<int> ch(2);
  std::atomic<bool> stop{false};
  spool::wait_group moving;
  moving.go([&] {
    while (!stop) {
      (void)ch.try_send(1);
      (void)ch.try_recv();
    }
  });
  std::thread looker([&] {
    for (int i = 0; i < 20'000; ++i) look(ch);
    stop = true;
  });
  moving.wait();
  looker.join();
}

TEST_P(SelectWait, OtherwiseIsNotTakenWhenOneOfTwoDirectionsIsOpen) {
  run([] {
    int missed = 0;
    look_while_a_value_comes_and_goes(
        [&](const channel<int>& ch) { select(on_recv(ch), on_send(ch, 1), spool::otherwise([&] { ++missed; })); });
    EXPECT_EQ(missed, 0) << "known by type";
    look_while_a_value_comes_and_goes([&](const channel<int>& ch) {
      int value = 1;
      std::array<spool::select_case, 3> cases{on_recv(ch), on_send(ch, std::move(value)),
                                              spool::otherwise([&] { ++missed; })};
      select(cases);
    });
    EXPECT_EQ(missed, 0) << "known at run time";
  });
}

TEST_P(SelectWait, ManySelectsManyChannels) {
  run([] {
    constexpr std::size_t channels = 5;
    constexpr int fibers = 4, each = 200;
    std::vector<channel<int>> all_channels;
    for (std::size_t i = 0; i < channels; ++i) all_channels.emplace_back(i % 3);
    std::vector<std::atomic<int>> seen(fibers * each);
    std::atomic<int> total{0};
    spool::wait_group sending, receiving;
    channel<int> done;
    for (int f = 0; f < fibers; ++f) {
      sending.go([&, f] {
        for (int i = 0; i < each; ++i) {
          int value = f * each + i;
          std::vector<select_case> cases;
          for (auto& ch : all_channels) cases.emplace_back(on_send(ch, std::move(value)));
          select(cases);
        }
      });
      receiving.go([&] {
        std::vector<select_case> cases;
        const auto note = [&](std::optional<int> v) {
          ++seen[static_cast<std::size_t>(v.value())];
          ++total;
        };
        for (auto& ch : all_channels) cases.emplace_back(on_recv(ch, note));
        cases.emplace_back(on_recv(done));
        while (select(cases) != channels) {
        }
      });
    }
    sending.wait();
    spool_test::wait_until([&] { return total == fibers * each; });
    done.close();
    receiving.wait();
    for (const auto& count : seen) EXPECT_EQ(count, 1);
  });
}

TEST_P(SelectWait, ManyCasesThatWait) {
  run([] {
    std::vector<channel<int>> channels;
    std::vector<select_case> cases;
    for (int i = 0; i < 64; ++i) {
      channels.emplace_back();
      cases.emplace_back(on_recv(channels.back()));
    }
    for (std::size_t i = 0; i < 64; i += 7) {
      go([ch = channels[i]] { EXPECT_TRUE(ch.send(1)); });
      EXPECT_EQ(select(cases), i);
    }
    for (auto& ch : channels) EXPECT_EQ(ch.try_send(1), channel_status::full);
  });
}

TEST_P(SelectWait, NothingIsLostWhenTimeoutsRace) {
  run([] {
    channel<int> ch;
    constexpr int messages = 300;
    std::atomic<int> received{0};
    spool::wait_group all;
    all.go([&, ch] {
      bool open = true;
      while (open) {
        select(on_recv(ch,
                       [&](std::optional<int> v) {
                         open = v.has_value();
                         received += open ? 1 : 0;
                       }),
               on_timeout(20us));
      }
    });
    int sent = 0;
    while (sent < messages) select(on_send(ch, sent, [&] { ++sent; }), on_timeout(20us));
    ch.close();
    all.wait();
    EXPECT_EQ(received, messages);
  });
}

TEST_P(SelectWait, MultiplexesUntilAllAreClosed) {
  run([] {
    // Go's idiom: a closed channel's variable becomes nil, so that its case is not chosen any more.
    channel<int> a, b;
    const auto feed = [](channel<int> ch, int n) {
      for (int i = 1; i <= n; ++i) EXPECT_TRUE(ch.send(i));
      ch.close();
    };
    go([=] { feed(a, 30); });
    go([=] { feed(b, 20); });
    int sum = 0;
    while (a != nullptr || b != nullptr) {
      const auto take = [&](channel<int>& from) {
        return [&](std::optional<int> v) {
          if (v) {
            sum += *v;
          } else {
            from = nullptr;
          }
        };
      };
      select(on_recv(a, take(a)), on_recv(b, take(b)));
    }
    EXPECT_EQ(sum, 30 * 31 / 2 + 20 * 21 / 2);
  });
}

TEST_P(SelectWait, PollingSelectLetsOthersRun) {
  run([] {
    channel<int> ch;
    go([ch] { EXPECT_TRUE(ch.send(1)); });
    while (select(on_recv(ch), spool::otherwise()) == 1) {
    }
  });
}

TEST_P(SelectWait, ChannelsMayBeDestroyedOnceItReturned) {
  run([] {
    for (int i = 0; i < 100; ++i) {
      auto a = std::make_unique<channel<int>>();
      auto b = std::make_unique<channel<int>>();
      go([&there = *b] { (void)there.send(1); });
      EXPECT_EQ(select(on_recv(*a), on_recv(*b)), 1u);
      a.reset();
      b.reset();
    }
  });
}

TEST_P(SelectWait, PlainThreadSelectsAmongFibers) {
  channel<int> a, b(2);
  std::atomic<int> sum{0};
  std::thread outside([&, a, b] {
    int open = 2;
    const auto take = [&](std::optional<int> v) { v ? void(sum += *v) : void(--open); };
    channel<int> from_a = a, from_b = b;
    while (open > 0) {
      const int before = open;
      const std::size_t i = select(on_recv(from_a, take), on_recv(from_b, take));
      if (open != before) (i == 0 ? from_a : from_b) = nullptr;
    }
  });
  run([=] {
    spool::wait_group all;
    for (const auto& ch : {a, b}) {
      all.go([ch] {
        for (int i = 0; i < 50; ++i) EXPECT_TRUE(ch.send(1));
        ch.close();
      });
    }
    all.wait();
  });
  outside.join();
  EXPECT_EQ(sum, 100);
}

TEST(SelectThreads, ExchangeWithNoRuntimeAlive) {
  ASSERT_EQ(spool::runtime::current(), nullptr);
  channel<int> requests, replies;
  std::thread server([=] {
    bool open = true;
    while (open) {
      select(on_recv(requests, [&](std::optional<int> v) { open = v.has_value() && replies.send(*v * 2); }));
    }
  });
  for (int i = 0; i < 100; ++i) {
    int value = i;
    EXPECT_EQ(select(on_recv(replies), on_send(requests, std::move(value))), 1u);
    EXPECT_EQ(select(on_recv(replies, [&](std::optional<int> v) { EXPECT_EQ(v, 2 * i); }), on_timeout(1h)), 0u);
  }
  requests.close();
  server.join();
}
