// The answers that wait for one client.

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <spool/spool.hpp>
#include <vector>

#include "../../support/runtimes.hpp"
#include "outbox.hpp"
#include "wire.hpp"

namespace {

using namespace orders;

class OrdersOutbox : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(OrdersOutbox);

TEST_P(OrdersOutbox, TheWriterGetsAllInOrder) {
  run([] {
    constexpr std::uint64_t many = 20'000;
    outbox box(SIZE_MAX);
    std::uint64_t next = 0;
    spool::wait_group writer;
    writer.go([&] {
      std::vector<std::byte> batch;
      while (box.take(batch)) {
        std::span<const std::byte> rest(batch);
        while (!rest.empty()) {
          answer read;
          std::size_t bytes = 0;
          ASSERT_EQ(decode(rest, read, bytes), decoded::message);
          ASSERT_EQ(read.id, next++);
          rest = rest.subspan(bytes);
        }
      }
    });
    for (std::uint64_t id = 0; id < many; ++id) {
      box.add({.kind = answer_kind::ack, .id = id});
      if (id % 7 == 0) {
        ASSERT_TRUE(box.commit());
      }
    }
    ASSERT_TRUE(box.commit());
    box.finish();
    writer.wait();
    EXPECT_EQ(next, many);
  });
}

TEST_P(OrdersOutbox, GivesTheClientUpOnceWhenNobodyWrites) {
  run([] {
    outbox box(3 * 19);  // an ack is 19 bytes
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(box.add({.kind = answer_kind::ack}));
      EXPECT_TRUE(box.commit());
    }
    EXPECT_TRUE(box.add({.kind = answer_kind::ack}));
    EXPECT_FALSE(box.add({.kind = answer_kind::ack}));
    EXPECT_FALSE(box.commit());
    EXPECT_TRUE(box.add({.kind = answer_kind::ack}));
    EXPECT_TRUE(box.commit());  // dropped
    box.finish();
    std::vector<std::byte> batch;
    EXPECT_TRUE(box.take(batch));
    EXPECT_EQ(batch.size(), 3u * 19);
    EXPECT_FALSE(box.take(batch));
  });
}

TEST_P(OrdersOutbox, HoldsUpTheDecoderUntilTheWriterTookIt) {
  run([] {
    outbox box(4 * 19);
    EXPECT_TRUE(box.wait_for_room(std::chrono::hours(1)));
    for (int i = 0; i < 2; ++i) box.add({.kind = answer_kind::ack});
    EXPECT_TRUE(box.commit());
    EXPECT_FALSE(box.wait_for_room(std::chrono::milliseconds(1)));
    auto room = spool::async([&] { return box.wait_for_room(std::chrono::hours(1)); });
    std::vector<std::byte> batch;
    EXPECT_TRUE(box.take(batch));
    EXPECT_TRUE(room.get());
    for (int i = 0; i < 2; ++i) box.add({.kind = answer_kind::ack});
    EXPECT_TRUE(box.commit());
    room = spool::async([&] { return box.wait_for_room(std::chrono::hours(1)); });
    box.abandon();  // nothing to wait for any more
    EXPECT_TRUE(room.get());
  });
}

TEST_P(OrdersOutbox, AnAbandonedOneTakesAndGivesNothing) {
  run([] {
    outbox box(1000);
    box.add({.kind = answer_kind::ack});
    EXPECT_TRUE(box.commit());
    box.abandon();
    for (int i = 0; i < 1000; ++i) {
      box.add({.kind = answer_kind::ack});
      EXPECT_TRUE(box.commit());
    }
    box.finish();
    std::vector<std::byte> batch;
    EXPECT_FALSE(box.take(batch));
  });
}

}  // namespace
