// Messages whose move throws: the operation that ran it fails, nothing is lost, nobody waits for ever.
#include "parked.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using spool::channel;
using spool::channel_status;
using spool::errc;
using spool_test::await_receivers;
using spool_test::await_senders;

namespace {

struct move_failed : std::runtime_error {
  move_failed() : std::runtime_error("move failed") {}
};

/// Throws from as many moves as its fuse says, and is untouched by those.
struct fragile {
  explicit fragile(int v, std::atomic<int>* f = nullptr) : value(v), fuse(f) {}
  fragile(fragile&& other) : value(other.value), fuse(other.fuse) {
    burn();
    other.value = -1;
  }
  fragile& operator=(fragile&& other) {
    other.burn();
    value = std::exchange(other.value, -1);
    fuse = other.fuse;
    return *this;
  }
  int value;
  std::atomic<int>* fuse;

 private:
  void burn() {
    if (fuse == nullptr) return;
    int left = fuse->load();
    while (left > 0 && !fuse->compare_exchange_weak(left, left - 1)) {
    }
    if (left > 0) throw move_failed();
  }
};

}  // namespace

class ChannelThrow : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ChannelThrow);

TEST(ChannelThrowing, SendIntoTheBufferFailsAndKeepsTheValue) {
  std::atomic<int> fuse{1};
  channel<fragile> ch(2);
  fragile mine(1, &fuse);
  EXPECT_THROW((void)ch.send(std::move(mine)), move_failed);
  EXPECT_EQ(mine.value, 1);
  EXPECT_EQ(ch.size(), 0u);
  EXPECT_EQ(ch.try_send(std::move(mine)), channel_status::ok);
  EXPECT_EQ(ch.recv()->value, 1);
}

TEST(ChannelThrowing, ReceiveFromTheBufferFailsAndLeavesTheValue) {
  std::atomic<int> fuse{0};
  channel<fragile> ch(2);
  EXPECT_TRUE(ch.send(fragile(1, &fuse)));
  EXPECT_TRUE(ch.send(fragile(2, &fuse)));
  fuse = 1;
  EXPECT_THROW((void)ch.recv(), move_failed);
  EXPECT_EQ(ch.size(), 2u);
  EXPECT_EQ(ch.recv()->value, 1);
  EXPECT_EQ(ch.recv()->value, 2);
}

TEST(ChannelThrowing, AssigningReceiveLeavesTargetAndValue) {
  std::atomic<int> fuse{0};
  channel<fragile> ch(1);
  EXPECT_TRUE(ch.send(fragile(1, &fuse)));
  fragile to(9);
  fuse = 1;
  EXPECT_THROW((void)ch.try_recv(to), move_failed);
  EXPECT_EQ(to.value, 9);
  EXPECT_EQ(ch.size(), 1u);
  EXPECT_EQ(ch.try_recv(to), channel_status::ok);
  EXPECT_EQ(to.value, 1);
}

TEST_P(ChannelThrow, FailedHandOverToAReceiverLeavesItWaiting) {
  run([] {
    std::atomic<int> fuse{3};
    channel<fragile> ch;
    std::atomic<int> got{0};
    spool::go([&, ch] { got = ch.recv()->value; });
    await_receivers(ch, 1);
    fragile mine(4, &fuse);
    for (int i = 0; i < 3; ++i) {
      EXPECT_THROW((void)ch.send(std::move(mine)), move_failed);
      EXPECT_EQ(mine.value, 4);
    }
    EXPECT_EQ(got, 0);
    // At once, also if the receiver has not run meanwhile: it never left the queue.
    EXPECT_EQ(ch.try_send(std::move(mine)), channel_status::ok);
    spool_test::wait_until([&] { return got == 4; });
  });
}

TEST_P(ChannelThrow, FailedTakeFromASenderLeavesItWaitingInFront) {
  run([] {
    std::atomic<int> fuse{0};
    channel<fragile> ch;
    spool::wait_group all;
    all.go([&] { EXPECT_TRUE(ch.send(fragile(1, &fuse))); });
    await_senders(ch, 1);
    all.go([&] { EXPECT_TRUE(ch.send(fragile(2, &fuse))); });
    await_senders(ch, 2);
    fuse = 2;
    EXPECT_THROW((void)ch.recv(), move_failed);
    EXPECT_THROW((void)ch.try_recv(), move_failed);
    EXPECT_EQ(ch.try_recv().value().value, 1);
    EXPECT_EQ(ch.recv()->value, 2);
    all.wait();
  });
}

TEST_P(ChannelThrow, WaiterKeepsItsCancellationAfterAFailedHandOver) {
  run([] {
    std::atomic<int> fuse{1};
    channel<fragile> ch;
    auto scope = spool::with_cancel(spool::context::background());
    spool::wait_group all;
    all.go([&] { EXPECT_EQ(ch.recv(scope.ctx()).error(), errc::canceled); });
    await_receivers(ch, 1);
    EXPECT_THROW((void)ch.send(fragile(1, &fuse)), move_failed);
    scope.cancel();
    all.wait();
    EXPECT_EQ(ch.try_send(fragile(2)), channel_status::full);
  });
}

TEST_P(ChannelThrow, WaiterKeepsItsDeadlineAfterAFailedHandOver) {
  run([] {
    std::atomic<int> fuse{1};
    channel<fragile> ch;
    spool::wait_group all;
    all.go([&] { EXPECT_EQ(ch.recv_for(50ms).error(), errc::deadline_exceeded); });
    await_receivers(ch, 1);
    EXPECT_THROW((void)ch.send(fragile(1, &fuse)), move_failed);
    all.wait();
  });
}

TEST_P(ChannelThrow, CloseReachesAWaiterAfterAFailedHandOver) {
  run([] {
    std::atomic<int> fuse{1};
    channel<fragile> ch;
    spool::wait_group all;
    all.go([&] { EXPECT_FALSE(ch.recv().has_value()); });
    await_receivers(ch, 1);
    EXPECT_THROW((void)ch.send(fragile(1, &fuse)), move_failed);
    ch.close();
    all.wait();
  });
}

TEST_P(ChannelThrow, FailedRefillIsTheSendersAndTheNextMovesUp) {
  run([] {
    std::atomic<int> fuse{0};
    channel<fragile> ch(1);
    EXPECT_TRUE(ch.send(fragile(0)));
    spool::wait_group all;
    std::atomic<int> failed{0};
    all.go([&] {
      fragile mine(1, &fuse);
      try {
        (void)ch.send(std::move(mine));
      } catch (const move_failed&) {
        EXPECT_EQ(mine.value, 1);
        ++failed;
      }
    });
    await_senders(ch, 1);
    all.go([&] { EXPECT_TRUE(ch.send(fragile(2))); });
    await_senders(ch, 2);
    fuse = 1;
    EXPECT_EQ(ch.recv()->value, 0);  // its own value was fine
    EXPECT_EQ(ch.size(), 1u);
    EXPECT_EQ(ch.recv()->value, 2);
    all.wait();
    EXPECT_EQ(failed, 1);
  });
}

TEST_P(ChannelThrow, SelectKeepsWaitingAfterAFailedHandOver) {
  run([] {
    std::atomic<int> fuse{2};
    channel<fragile> a, b;
    spool::wait_group all;
    std::atomic<int> got{0};
    all.go([&] {
      const std::size_t i =
          spool::select(on_recv(b), on_recv(a, [&](std::optional<fragile> v) { got = v ? v->value : 0; }));
      EXPECT_EQ(i, 1u);
    });
    await_receivers(a, 1);
    await_receivers(b, 1);
    fragile mine(7, &fuse);
    EXPECT_THROW((void)a.send(std::move(mine)), move_failed);
    EXPECT_THROW((void)a.try_send(std::move(mine)), move_failed);
    EXPECT_EQ(a.try_send(std::move(mine)), channel_status::ok);
    all.wait();
    EXPECT_EQ(got, 7);
    EXPECT_EQ(b.try_send(fragile(1)), channel_status::full);  // the select has left this queue
  });
}

TEST_P(ChannelThrow, SelectThatStalledMayEndOtherwise) {
  run([] {
    std::atomic<int> fuse{1};
    channel<fragile> a;
    channel<int> b;
    spool::wait_group all;
    all.go([&] { EXPECT_EQ(spool::select(on_recv(a), on_recv(b)), 1u); });
    await_receivers(a, 1);
    await_receivers(b, 1);
    EXPECT_THROW((void)a.send(fragile(1, &fuse)), move_failed);
    EXPECT_TRUE(b.send(1));
    all.wait();
    EXPECT_EQ(a.try_send(fragile(2)), channel_status::full);
  });
}

TEST_P(ChannelThrow, SelectsOwnFailedMoveLeavesItAndChangesNothing) {
  run([] {
    std::atomic<int> fuse{0};
    channel<fragile> ch(1);
    EXPECT_TRUE(ch.send(fragile(3, &fuse)));
    fuse = 1;
    EXPECT_THROW(spool::select(on_recv(ch)), move_failed);
    EXPECT_EQ(ch.size(), 1u);
    EXPECT_EQ(ch.recv()->value, 3);
    fragile mine(5, &fuse);
    fuse = 1;
    EXPECT_THROW(spool::select(on_send(ch, std::move(mine))), move_failed);
    EXPECT_EQ(mine.value, 5);
    EXPECT_EQ(ch.size(), 0u);
  });
}

TEST_P(ChannelThrow, ThrowingCopyHappensBeforeAnythingElse) {
  struct fragile_copy {
    fragile_copy() = default;
    fragile_copy(const fragile_copy&) { throw move_failed(); }
    fragile_copy(fragile_copy&&) noexcept {}
  };
  run([] {
    channel<fragile_copy> ch(1);
    const fragile_copy value;
    EXPECT_THROW((void)ch.send(value), move_failed);
    EXPECT_THROW((void)ch.try_send(value), move_failed);
    EXPECT_THROW(spool::select(on_send(ch, value)), move_failed);
    EXPECT_EQ(ch.size(), 0u);
    EXPECT_TRUE(ch.send(fragile_copy()));
    EXPECT_EQ(ch.try_send(value), channel_status::full);  // full: not even copied
  });
}

TEST_P(ChannelThrow, NothingIsLostUnderLoad) {
  run([] {
    std::atomic<int> fuse{0};
    channel<fragile> ch(2);
    constexpr int each = 200;
    std::atomic<int> sent{0}, received{0};
    spool::wait_group sending, receiving;
    for (int s = 0; s < 3; ++s) {
      sending.go([&] {
        for (int i = 0; i < each; ++i) {
          fragile mine(1, &fuse);
          if (i % 7 == 0) fuse += 2;
          for (bool done = false; !done;) {
            try {
              done = ch.send(std::move(mine));
            } catch (const move_failed&) {
            }
          }
          ++sent;
        }
      });
    }
    for (int r = 0; r < 3; ++r) {
      receiving.go([&] {
        for (bool open = true; open;) {
          try {
            const auto v = ch.recv();
            open = v.has_value();
            if (open) ++received;
          } catch (const move_failed&) {
          }
        }
      });
    }
    sending.wait();
    ch.close();
    receiving.wait();
    EXPECT_EQ(sent, 3 * each);
    EXPECT_EQ(received, 3 * each);
  });
}
