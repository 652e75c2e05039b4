// sender, receiver, make_channel: directions, and closing by going away.
#include "parked.hpp"

#include <atomic>
#include <concepts>
#include <memory>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using spool::channel;
using spool::channel_status;
using spool::errc;
using spool::make_channel;
using spool::receiver;
using spool::sender;
using spool_test::await_receivers;
using spool_test::await_senders;

template <class H>
concept CanReceive = requires(const H& h) {
  h.recv();
};
template <class H>
concept CanSend = requires(const H& h) {
  (void)h.send(1);
};

static_assert(CanSend<sender<int>> && !CanReceive<sender<int>>);
static_assert(CanReceive<receiver<int>> && !CanSend<receiver<int>>);
static_assert(std::ranges::input_range<receiver<int>> && !std::ranges::forward_range<receiver<int>>);
static_assert(std::ranges::input_range<channel<int>> && !std::ranges::forward_range<channel<int>>);
static_assert(!std::ranges::sized_range<receiver<int>> && !std::ranges::sized_range<const channel<int>>);
static_assert(std::convertible_to<channel<int>, sender<int>> && std::convertible_to<channel<int>, receiver<int>>);
static_assert(!std::convertible_to<sender<int>, channel<int>> && !std::convertible_to<sender<int>, receiver<int>>);

class Endpoints : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Endpoints);

TEST(Endpoint, DirectionsConvertFromAChannel) {
  channel<int> ch(1);
  const auto produce = [](sender<int> to) { return to.send(3); };
  const auto consume = [](receiver<int> from) { return from.recv(); };
  EXPECT_TRUE(produce(ch));
  EXPECT_EQ(consume(ch), 3);
}

TEST(Endpoint, ReferencesToAChannelDoNotCloseIt) {
  channel<int> ch(1);
  {
    sender<int> to = ch;
    receiver<int> from = ch;
    sender<int> copy = to;
  }
  EXPECT_FALSE(ch.closed());
  EXPECT_TRUE(ch.send(1));
}

TEST(Endpoint, ReferencesKeepTheChannelAlive) {
  sender<int> to = nullptr;
  receiver<int> from = nullptr;
  {
    channel<int> ch(1);
    to = ch;
    from = ch;
  }
  EXPECT_TRUE(to.send(1));
  EXPECT_EQ(from.recv(), 1);
}

TEST(Endpoint, HasTheWholeSurface) {
  auto [tx, rx] = make_channel<std::string>(2);
  const std::string text = "t";
  EXPECT_TRUE(tx.send(text));
  EXPECT_EQ(tx.try_send("u"), channel_status::ok);
  EXPECT_EQ(tx.try_send("v"), channel_status::full);
  EXPECT_EQ(tx.send_for(1ms, "v"), channel_status::timeout);
  EXPECT_EQ(tx.capacity(), 2u);
  EXPECT_EQ(rx.size(), 2u);
  EXPECT_EQ(rx.recv(), "t");
  EXPECT_EQ(rx.try_recv().value(), "u");
  EXPECT_EQ(rx.recv_for(1ms).error(), errc::deadline_exceeded);
  EXPECT_TRUE(tx.close());
  EXPECT_TRUE(rx.closed());
  EXPECT_EQ(rx.recv(spool::context::background()).error(), errc::closed);
}

TEST(Endpoint, MovedFromThrows) {
  auto [tx, rx] = make_channel<int>(1);
  sender<int> tx2 = std::move(tx);
  receiver<int> rx2 = std::move(rx);
  EXPECT_THROW((void)tx.send(1), std::logic_error);
  EXPECT_THROW((void)rx.recv(), std::logic_error);
  EXPECT_TRUE(tx2.send(1));
  EXPECT_EQ(rx2.recv(), 1);
}

TEST(Endpoint, MayBeNil) {
  sender<int> tx = nullptr;
  receiver<int> rx = channel<int>(nullptr);
  EXPECT_TRUE(tx == nullptr);
  EXPECT_TRUE(rx == nullptr);
  EXPECT_EQ(tx.try_send(1), channel_status::full);
  EXPECT_EQ(rx.recv_for(1ms).error(), errc::deadline_exceeded);
  EXPECT_THROW((void)tx.close(), std::logic_error);
}

TEST(Endpoint, ComparesByChannel) {
  auto [tx, rx] = make_channel<int>(1);
  const sender<int> copy = tx;
  EXPECT_EQ(copy, tx);
  EXPECT_NE(copy, make_channel<int>(1).first);
  EXPECT_EQ(rx, receiver<int>(rx));
}

TEST(Endpoint, LastSenderCloses) {
  auto [tx, rx] = make_channel<int>(2);
  {
    sender<int> only = std::move(tx);
    sender<int> copy = only;
    EXPECT_TRUE(only.send(1));
    only = nullptr;
    EXPECT_FALSE(rx.closed());
    EXPECT_TRUE(copy.send(2));
  }
  EXPECT_TRUE(rx.closed());
  EXPECT_EQ(rx.recv(), 1);  // what is buffered drains
  EXPECT_EQ(rx.recv(), 2);
  EXPECT_EQ(rx.recv(), std::nullopt);
}

TEST(Endpoint, LastReceiverClosesForSenders) {
  auto [tx, rx] = make_channel<int>(2);
  EXPECT_TRUE(tx.send(1));
  {
    receiver<int> only = std::move(rx);
    receiver<int> copy = only;
    only = nullptr;
    EXPECT_FALSE(tx.closed());
  }
  EXPECT_TRUE(tx.closed());
  EXPECT_EQ(tx.try_send(2), channel_status::closed);
  EXPECT_FALSE(tx.send(2));
}

TEST(Endpoint, ValuesNobodyWillReceiveAreDestroyed) {
  const auto token = std::make_shared<int>(0);
  auto [tx, rx] = make_channel<std::shared_ptr<int>>(3);
  EXPECT_TRUE(tx.send(token));
  EXPECT_TRUE(rx.recv());
  EXPECT_TRUE(tx.send(token));
  EXPECT_TRUE(tx.send(token));
  EXPECT_TRUE(tx.send(token));
  EXPECT_EQ(token.use_count(), 4);
  rx = nullptr;
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(tx.size(), 0u);
}

TEST(Endpoint, DestroyedValuesMayUseTheChannel) {
  // A message whose destructor sends: it must not run under the channel's lock.
  struct talker {
    explicit talker(sender<std::unique_ptr<talker>> t) : to(std::move(t)) {}
    ~talker() { EXPECT_FALSE(to.send(nullptr)); }
    sender<std::unique_ptr<talker>> to;
  };
  auto [tx, rx] = make_channel<std::unique_ptr<talker>>(1);
  EXPECT_TRUE(tx.send(std::make_unique<talker>(tx)));
  rx = nullptr;
  EXPECT_TRUE(tx.closed());
}

TEST(Endpoint, SelfAssignmentKeepsTheCount) {
  auto [tx, rx] = make_channel<int>(1);
  const auto& same = tx;
  tx = same;
  EXPECT_FALSE(rx.closed());
  sender<int> other = tx;
  other = std::move(tx);
  EXPECT_FALSE(rx.closed());
  EXPECT_TRUE(other.send(1));
}

TEST(Endpoint, CasesOfASelectCountAsTheirHandle) {
  auto [tx, rx] = make_channel<int>(1);
  {
    int value = 1;
    spool::select_case pending = on_send(tx, std::move(value));
    tx = nullptr;
    EXPECT_FALSE(rx.closed());
  }
  EXPECT_TRUE(rx.closed());
}

TEST_P(Endpoints, LastSenderEndsARange) {
  run([] {
    auto [tx, rx] = make_channel<int>();
    for (int s = 0; s < 4; ++s) {
      spool::go([tx = tx, s] {
        for (int i = 0; i < 50; ++i) EXPECT_TRUE(tx.send(s * 50 + i));
      });
    }
    tx = nullptr;
    int sum = 0;
    for (int v : rx) sum += v;
    EXPECT_EQ(sum, 199 * 100);
  });
}

TEST_P(Endpoints, LastReceiverWakesBlockedSenders) {
  run([] {
    auto [tx, rx] = make_channel<int>();
    spool::wait_group all;
    for (int i = 0; i < 5; ++i) all.go([tx = tx] { EXPECT_FALSE(tx.send(1)); });
    await_senders(tx, 5);
    rx = nullptr;
    all.wait();
  });
}

TEST_P(Endpoints, LastSenderWakesBlockedReceivers) {
  run([] {
    auto [tx, rx] = make_channel<int>(3);
    spool::wait_group all;
    for (int i = 0; i < 5; ++i) all.go([rx = rx] { EXPECT_EQ(rx.recv(), std::nullopt); });
    await_receivers(rx, 5);
    tx = nullptr;
    all.wait();
  });
}

TEST_P(Endpoints, ProducerStopsWhenItsConsumerIsGone) {
  run([] {
    auto [tx, rx] = make_channel<int>(2);
    spool::wait_group all;
    all.go([tx = std::move(tx)] {
      int sent = 0;
      while (tx.send(sent)) ++sent;
      EXPECT_GE(sent, 10);
    });
    for (int i = 0; i < 10; ++i) EXPECT_EQ(rx.recv(), i);
    rx = nullptr;
    all.wait();
  });
}

TEST_P(Endpoints, BothEndsMayGoAtOnce) {
  run([] {
    for (int i = 0; i < 200; ++i) {
      auto [tx, rx] = make_channel<std::shared_ptr<int>>(2);
      const auto token = std::make_shared<int>(i);
      spool::wait_group all;
      all.go([tx = std::move(tx), token] { (void)tx.send(token); });
      all.go([rx = std::move(rx)] { (void)rx.try_recv(); });
      all.wait();
      spool_test::wait_until([&] { return token.use_count() == 1; });
    }
  });
}

TEST_P(Endpoints, SelectSeesThemClose) {
  run([] {
    auto [tx, rx] = make_channel<int>();
    spool::wait_group all;
    all.go([rx = rx] {
      bool closed = false;
      EXPECT_EQ(spool::select(on_recv(rx, [&](std::optional<int> v) { closed = !v; }), spool::on_timeout(1h)), 0u);
      EXPECT_TRUE(closed);
    });
    await_receivers(rx, 1);
    tx = nullptr;
    all.wait();
  });
}

TEST(EndpointThreads, CloseAcrossPlainThreads) {
  auto [tx, rx] = make_channel<int>(1);
  std::thread producer([tx = std::move(tx)] {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(tx.send(i));
  });
  int sum = 0;
  for (int v : rx) sum += v;
  producer.join();  // its closure, and with it the sender, may live until here
  EXPECT_EQ(sum, 4950);
}
