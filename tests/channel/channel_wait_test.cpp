// Channels whose users wait: hand-off, order, close, cancellation, between fibers.
#include "parked.hpp"

#include <atomic>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using spool::channel;
using spool::channel_status;
using spool::errc;
using spool::go;
using spool_test::await_receivers;
using spool_test::await_senders;

class ChannelWait : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ChannelWait);

TEST_P(ChannelWait, RendezvousHandsOver) {
  run([] {
    channel<int> ch;
    go([ch] { EXPECT_TRUE(ch.send(42)); });
    EXPECT_EQ(ch.recv(), 42);
  });
}

TEST_P(ChannelWait, RendezvousSendWaitsForItsReceiver) {
  run([] {
    channel<int> ch;
    std::atomic<bool> sent{false};
    go([&, ch] {
      EXPECT_TRUE(ch.send(1));
      sent = true;
    });
    await_senders(ch, 1);
    EXPECT_FALSE(sent);
    EXPECT_EQ(ch.size(), 0u);
    EXPECT_EQ(ch.recv(), 1);
    spool_test::wait_until([&] { return sent.load(); });
  });
}

TEST_P(ChannelWait, BufferedSendWaitsOnlyWhenFull) {
  run([] {
    channel<int> ch(2);
    EXPECT_TRUE(ch.send(1));
    EXPECT_TRUE(ch.send(2));
    go([ch] { EXPECT_TRUE(ch.send(3)); });
    await_senders(ch, 1);
    EXPECT_EQ(ch.size(), 2u);
    EXPECT_EQ(ch.recv(), 1);
    EXPECT_EQ(ch.size(), 2u);  // the waiting sender's value moved in at that moment
    EXPECT_EQ(ch.recv(), 2);
    EXPECT_EQ(ch.recv(), 3);
  });
}

TEST_P(ChannelWait, WaitingReceiversAreServedInOrder) {
  run([] {
    channel<int> ch(1);
    std::vector<int> got(5, -1);
    spool::wait_group all;
    for (std::size_t i = 0; i < 5; ++i) {
      all.go([&got, ch, i] { got[i] = ch.recv().value(); });
      await_receivers(ch, i + 1);
    }
    for (int v = 0; v < 5; ++v) EXPECT_TRUE(ch.send(v));
    all.wait();
    EXPECT_EQ(got, (std::vector{0, 1, 2, 3, 4}));
  });
}

TEST_P(ChannelWait, WaitingSendersAreServedInOrder) {
  run([] {
    for (std::size_t capacity : {0u, 1u, 3u}) {
      channel<int> ch(capacity);
      for (int v = 0; v < static_cast<int>(capacity); ++v) EXPECT_TRUE(ch.send(v));
      for (std::size_t i = 0; i < 5; ++i) {
        go([ch, v = static_cast<int>(capacity + i)] { EXPECT_TRUE(ch.send(v)); });
        await_senders(ch, i + 1);
      }
      for (int v = 0; v < static_cast<int>(capacity) + 5; ++v) EXPECT_EQ(ch.recv(), v);
    }
  });
}

TEST_P(ChannelWait, NewcomerDoesNotOvertakeWaitingSender) {
  run([] {
    channel<int> ch(1);
    EXPECT_TRUE(ch.send(0));
    go([ch] { EXPECT_TRUE(ch.send(1)); });
    await_senders(ch, 1);
    EXPECT_EQ(ch.recv(), 0);
    EXPECT_EQ(ch.try_send(2), channel_status::full);  // the slot went to the one who waited
    EXPECT_EQ(ch.recv(), 1);
  });
}

TEST_P(ChannelWait, TrySendReachesAWaitingReceiver) {
  run([] {
    channel<int> ch;
    std::atomic<int> got{0};
    go([&, ch] { got = ch.recv().value(); });
    await_receivers(ch, 1);
    EXPECT_EQ(ch.try_send(8), channel_status::ok);
    EXPECT_EQ(ch.try_send(9), channel_status::full);
    spool_test::wait_until([&] { return got == 8; });
  });
}

TEST_P(ChannelWait, TryRecvReachesAWaitingSender) {
  run([] {
    channel<int> ch;
    go([ch] { EXPECT_TRUE(ch.send(6)); });
    await_senders(ch, 1);
    EXPECT_EQ(ch.try_recv().value(), 6);
    EXPECT_EQ(ch.try_recv().error(), errc::empty);
  });
}

TEST_P(ChannelWait, ReceiveIntoATargetAssignsIt) {
  run([] {
    channel<std::string> ch;
    spool::wait_group all;
    std::string first = "-", second = "-", third = "-";
    all.go([&] { EXPECT_EQ(ch.recv_for(1h, first), channel_status::ok); });
    await_receivers(ch, 1);
    EXPECT_TRUE(ch.send("a"));
    all.go([&] { EXPECT_EQ(ch.recv(spool::context::background(), second), channel_status::ok); });
    EXPECT_TRUE(ch.send("b"));
    all.go([&] { EXPECT_TRUE(ch.send("c")); });
    await_senders(ch, 1);
    EXPECT_EQ(ch.try_recv(third), channel_status::ok);
    all.wait();
    EXPECT_EQ(first + second + third, "abc");
  });
}

TEST_P(ChannelWait, CloseWakesBlockedReceivers) {
  run([] {
    channel<int> ch(2);
    spool::wait_group all;
    for (int i = 0; i < 10; ++i) all.go([ch] { EXPECT_EQ(ch.recv(), std::nullopt); });
    await_receivers(ch, 10);
    EXPECT_TRUE(ch.close());
    all.wait();
  });
}

TEST_P(ChannelWait, CloseWakesBlockedSenders) {
  run([] {
    channel<std::unique_ptr<int>> ch(1);
    EXPECT_TRUE(ch.send(std::make_unique<int>(1)));
    spool::wait_group all;
    for (int i = 0; i < 10; ++i) {
      all.go([ch] {
        auto mine = std::make_unique<int>(2);
        EXPECT_FALSE(ch.send(std::move(mine)));
        EXPECT_NE(mine, nullptr) << "a value that was not sent was moved from";
      });
    }
    await_senders(ch, 10);
    EXPECT_TRUE(ch.close());
    all.wait();
    EXPECT_EQ(**ch.recv(), 1);
    EXPECT_EQ(ch.recv(), std::nullopt);
  });
}

TEST_P(ChannelWait, CloseEndsBoundedWaitsToo) {
  run([] {
    channel<int> ch;
    spool::wait_group all;
    all.go([ch] { EXPECT_EQ(ch.recv_for(1h).error(), errc::closed); });
    all.go([ch] {
      auto scope = spool::with_timeout(spool::context::background(), 1h);
      EXPECT_EQ(ch.recv(scope.ctx()).error(), errc::closed);
    });
    await_receivers(ch, 2);
    ch.close();
    all.wait();
  });
}

TEST_P(ChannelWait, ExactlyOneCloseSucceeds) {
  run([] {
    channel<int> ch;
    std::atomic<int> succeeded{0};
    spool::wait_group all;
    for (int i = 0; i < 20; ++i) all.go([&, ch] { succeeded += ch.close() ? 1 : 0; });
    all.wait();
    EXPECT_EQ(succeeded, 1);
  });
}

TEST_P(ChannelWait, CancellationEndsAReceive) {
  run([] {
    channel<int> ch;
    auto scope = spool::with_cancel(spool::context::background());
    spool::wait_group all;
    all.go([&] { EXPECT_EQ(ch.recv(scope.ctx()).error(), errc::canceled); });
    await_receivers(ch, 1);
    scope.cancel();
    all.wait();
    EXPECT_EQ(spool_test::waiting(ch, spool::detail::channel_side::recv), 0u);
    EXPECT_EQ(ch.try_send(1), channel_status::full);
  });
}

TEST_P(ChannelWait, CancellationEndsASendAndKeepsTheValue) {
  run([] {
    channel<std::unique_ptr<int>> ch;
    auto scope = spool::with_cancel(spool::context::background());
    spool::wait_group all;
    all.go([&] {
      auto mine = std::make_unique<int>(3);
      EXPECT_EQ(ch.send(scope.ctx(), std::move(mine)), channel_status::canceled);
      EXPECT_NE(mine, nullptr);
    });
    await_senders(ch, 1);
    scope.cancel();
    all.wait();
    EXPECT_EQ(ch.try_recv().error(), errc::empty);
  });
}

TEST_P(ChannelWait, DeadlineOfAContextIsATimeout) {
  run([] {
    channel<int> ch;
    auto scope = spool::with_timeout(spool::context::background(), 2ms);
    int to = 1;
    EXPECT_EQ(ch.recv(scope.ctx(), to), channel_status::timeout);
    auto again = spool::with_timeout(spool::context::background(), 2ms);
    EXPECT_EQ(ch.send(again.ctx(), 1), channel_status::timeout);
    EXPECT_EQ(to, 1);
  });
}

TEST_P(ChannelWait, AWaiterThatGaveUpIsSkipped) {
  run([] {
    channel<int> ch;
    auto scope = spool::with_cancel(spool::context::background());
    spool::wait_group all;
    all.go([&] { EXPECT_EQ(ch.recv(scope.ctx()).error(), errc::canceled); });
    await_receivers(ch, 1);
    std::atomic<int> got{0};
    all.go([&] { got = ch.recv().value(); });
    await_receivers(ch, 2);
    scope.cancel();
    EXPECT_TRUE(ch.send(5));
    all.wait();
    EXPECT_EQ(got, 5);
  });
}

TEST_P(ChannelWait, NothingIsLostWhenTimeoutsRaceWithSends) {
  run([] {
    channel<int> ch;
    constexpr int messages = 300;
    std::atomic<int> received{0};
    spool::wait_group all;
    for (int r = 0; r < 3; ++r) {
      all.go([&, ch] {
        for (;;) {
          const auto v = ch.recv_for(20us);
          if (v.has_value()) {
            ++received;
          } else if (v.error() == errc::closed) {
            return;
          }
        }
      });
    }
    int sent = 0;
    while (sent < messages) sent += ch.send_for(20us, sent) == channel_status::ok ? 1 : 0;
    ch.close();
    all.wait();
    EXPECT_EQ(received, messages);
  });
}

TEST_P(ChannelWait, KthReceiveHappensBeforeSendKPlusC) {
  run([] {
    // A channel of capacity C as a semaphore: at most C fibers are inside at a time.
    channel<int> slots(3);
    std::atomic<int> inside{0}, most{0};
    spool::wait_group all;
    for (int i = 0; i < 50; ++i) {
      all.go([&, slots] {
        EXPECT_TRUE(slots.send(1));
        const int now = ++inside;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        spool::this_fiber::yield();
        --inside;
        EXPECT_TRUE(slots.recv());
      });
    }
    all.wait();
    EXPECT_LE(most, 3);
    EXPECT_GE(most, 1);
  });
}

TEST_P(ChannelWait, ReceivePublishesWhatWasWrittenBefore) {
  run([] {
    channel<int> ping, pong;
    int plain = 0;  // no atomic: the channel orders the accesses
    go([&plain, ping, pong] {
      for (int i = 0; i < 200; ++i) {
        if (!ping.recv()) return;
        ++plain;
        if (!pong.send(i)) return;
      }
    });
    for (int i = 0; i < 200; ++i) {
      ++plain;
      EXPECT_TRUE(ping.send(i));
      EXPECT_EQ(pong.recv(), i);
      EXPECT_EQ(plain, 2 * (i + 1));
    }
  });
}

TEST_P(ChannelWait, ManyToManyDeliversEachValueOnce) {
  run([] {
    for (std::size_t capacity : {0u, 1u, 7u}) {
      channel<int> ch(capacity);
      constexpr int senders = 4, each = 250;
      std::vector<std::atomic<int>> seen(senders * each);
      spool::wait_group sending, receiving;
      for (int r = 0; r < 4; ++r) {
        receiving.go([&, ch] {
          for (int v : ch) ++seen[static_cast<std::size_t>(v)];
        });
      }
      for (int s = 0; s < senders; ++s) {
        sending.go([ch, s] {
          for (int i = 0; i < each; ++i) EXPECT_TRUE(ch.send(s * each + i));
        });
      }
      sending.wait();
      ch.close();
      receiving.wait();
      for (const auto& count : seen) EXPECT_EQ(count, 1);
    }
  });
}

TEST_P(ChannelWait, OneSendersValuesStayInOrder) {
  run([] {
    channel<int> ch(3);
    go([ch] {
      for (int i = 0; i < 2000; ++i) EXPECT_TRUE(ch.send(i));
      ch.close();
    });
    int expected = 0;
    for (int v : ch) EXPECT_EQ(v, expected++);
    EXPECT_EQ(expected, 2000);
  });
}

TEST_P(ChannelWait, OneReceiverSeesEachSendersValuesInOrder) {
  run([] {
    channel<std::pair<std::size_t, int>> ch(2);
    spool::wait_group all;
    for (std::size_t s = 0; s < 4; ++s) {
      all.go([ch, s] {
        for (int i = 0; i < 200; ++i) EXPECT_TRUE(ch.send({s, i}));
      });
    }
    go([&all, ch] {
      all.wait();
      ch.close();
    });
    std::vector<int> next(4, 0);
    for (auto [s, i] : ch) EXPECT_EQ(i, next[s]++);
    EXPECT_EQ(next, std::vector<int>(4, 200));
  });
}

TEST_P(ChannelWait, SieveOfEratosthenes) {
  run([] {
    channel<int> numbers;
    const channel<int> first = numbers;
    go([first] {
      for (int i = 2; first.send(i); ++i) {
      }
    });
    std::vector<int> primes;
    std::vector<channel<int>> stages{first};
    for (int n = 0; n < 20; ++n) {
      const int prime = numbers.recv().value();
      primes.push_back(prime);
      channel<int> next;
      go([from = numbers, next, prime] {
        for (int v : from) {
          if (v % prime != 0 && !next.send(v)) return;
        }
      });
      numbers = next;
      stages.push_back(next);
    }
    for (const auto& stage : stages) stage.close();
    EXPECT_EQ(primes.back(), 71);
  });
}

TEST_P(ChannelWait, MayBeDestroyedOnceTheWaitReturned) {
  run([] {
    for (int i = 0; i < 200; ++i) {
      auto ch = std::make_unique<channel<int>>();
      go([&there = *ch] { (void)there.send(1); });  // refers to the handle: the receiver destroys it
      EXPECT_EQ(ch->recv(), 1);
      ch.reset();
    }
  });
}

TEST_P(ChannelWait, PlainThreadsAndFibersMeet) {
  channel<int> to_thread, to_fiber(2);
  std::thread outside([=] {
    for (int v : to_thread) EXPECT_TRUE(to_fiber.send(v * 2));
    to_fiber.close();
  });
  run([=] {
    go([=] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(to_thread.send(i));
      to_thread.close();
    });
    int sum = 0;
    for (int v : to_fiber) sum += v;
    EXPECT_EQ(sum, 99 * 100);
  });
  outside.join();
}

TEST_P(ChannelWait, TwoRuntimesShareAChannel) {
  channel<int> ch(1);
  std::thread other([ch] {
    spool::runtime rt({.threads = 1});
    rt.run([ch] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(ch.send(i));
      ch.close();
    });
  });
  const int sum = run([ch] {
    int total = 0;
    for (int v : ch) total += v;
    return total;
  });
  other.join();
  EXPECT_EQ(sum, 99 * 50);
}

TEST_P(ChannelWait, PollingFiberLetsOthersRun) {
  run([] {
    channel<int> ch;
    go([ch] { EXPECT_TRUE(ch.send(1)); });
    int got = 0;
    while (ch.try_recv(got) != channel_status::ok) {
    }  // no yield: the budget of operations must see to it, also on one worker
    EXPECT_EQ(got, 1);
  });
}

TEST_P(ChannelWait, BusyPairDoesNotStarveOthers) {
  run([] {
    channel<int> ch(1);
    std::atomic<bool> stop{false};
    go([&stop] { stop = true; });
    while (!stop) {
      EXPECT_TRUE(ch.send(1));
      EXPECT_EQ(ch.recv(), 1);
    }
  });
}

// Registered, a fiber keeps the channel's lock until it has left its stack. The thread is right behind it each time.
TEST_P(ChannelWait, AThreadSendsAsSoonAsAFiberWaits) {
  static constexpr int messages = 20'000;
  const channel<int> ch;
  std::thread sender([ch] {
    for (int i = 0; i < messages; ++i) {
      for (int tries = 1; ch.try_send(i) != channel_status::ok; ++tries) {
        if (tries % 1000 == 0) std::this_thread::yield();
      }
    }
    EXPECT_TRUE(ch.close());
  });
  run([ch] {
    std::atomic<bool> over{false};
    spool::wait_group others;
    others.go([&over] {
      while (!over) spool::this_fiber::yield();
    });
    int expected = 0;
    for (const int i : ch) EXPECT_EQ(i, expected++);
    EXPECT_EQ(expected, messages);
    over = true;
    others.wait();
  });
  sender.join();
}

TEST(ChannelThreads, WorkWithNoRuntimeAlive) {
  ASSERT_EQ(spool::runtime::current(), nullptr);
  channel<int> ch;
  std::thread producer([ch] {
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(ch.send(i));
    ch.close();
  });
  int expected = 0;
  for (int v : ch) EXPECT_EQ(v, expected++);
  EXPECT_EQ(expected, 500);
  producer.join();
}

TEST(ChannelThreads, ManyToMany) {
  channel<int> ch(3);
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int r = 0; r < 3; ++r) {
    threads.emplace_back([&sum, ch] {
      for (int v : ch) sum += v;
    });
  }
  std::vector<std::thread> senders;
  for (int s = 0; s < 3; ++s) {
    senders.emplace_back([ch] {
      for (int i = 1; i <= 200; ++i) EXPECT_TRUE(ch.send(i));
    });
  }
  for (auto& t : senders) t.join();
  ch.close();
  for (auto& t : threads) t.join();
  EXPECT_EQ(sum, 3 * 200 * 201 / 2);
}

TEST(ChannelThreads, CancelAndTimeOutThere) {
  channel<int> ch;
  auto scope = spool::with_cancel(spool::context::background());
  std::thread waiting([&] { EXPECT_EQ(ch.recv(scope.ctx()).error(), errc::canceled); });
  await_receivers(ch, 1);
  scope.cancel();
  waiting.join();
  auto soon = spool::with_timeout(spool::context::background(), 2ms);
  EXPECT_EQ(ch.recv(soon.ctx()).error(), errc::deadline_exceeded);
  EXPECT_EQ(ch.recv_for(1ms).error(), errc::deadline_exceeded);
}

TEST(ChannelThreads, CloseWakesBothSides) {
  channel<int> ch;
  std::thread receiver([ch] { EXPECT_EQ(ch.recv(), std::nullopt); });
  await_receivers(ch, 1);
  ch.close();
  receiver.join();
  channel<int> full;
  std::thread sender([full] { EXPECT_FALSE(full.send(1)); });
  await_senders(full, 1);
  full.close();
  sender.join();
}
