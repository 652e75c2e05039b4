// Channels as far as nobody waits: buffering, status, handles, message types. Runs on plain threads, with no runtime.
#include "parked.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace std::chrono_literals;
using spool::channel;
using spool::channel_status;
using spool::errc;
using spool_test::only_movable;

static_assert(std::is_nothrow_copy_constructible_v<channel<int>> && std::is_nothrow_move_constructible_v<channel<int>>);
static_assert(!std::is_convertible_v<std::size_t, channel<int>>, "a capacity is not a channel");
static_assert(std::is_convertible_v<std::nullptr_t, channel<int>>);
static_assert(sizeof(channel<int>) == sizeof(void*));

TEST(Channel, CapacityIsExactlyAsGiven) {
  for (std::size_t capacity : {0u, 1u, 2u, 3u, 5u, 7u, 100u}) {
    channel<int> ch(capacity);
    EXPECT_EQ(ch.capacity(), capacity);
    for (std::size_t i = 0; i < capacity; ++i) EXPECT_EQ(ch.try_send(1), channel_status::ok);
    EXPECT_EQ(ch.try_send(1), channel_status::full);
    EXPECT_EQ(ch.size(), capacity);
  }
}

TEST(Channel, IsUnbufferedByDefault) {
  channel<int> ch;
  EXPECT_EQ(ch.capacity(), 0u);
  EXPECT_EQ(ch.try_send(1), channel_status::full);
  EXPECT_EQ(ch.try_recv().error(), errc::empty);
}

TEST(Channel, CapacityBeyondMemoryIsRefused) {
  EXPECT_THROW(channel<int>(~std::size_t{0}), std::length_error);
  EXPECT_THROW(channel<int>(std::size_t{1} << 32), std::length_error);
  EXPECT_THROW(channel<int>(static_cast<std::size_t>(-1)), std::logic_error);
}

TEST(Channel, BufferKeepsOrder) {
  channel<int> ch(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ch.send(i));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ch.recv(), i);
}

TEST(Channel, RingWrapsAtAnyCapacity) {
  for (std::size_t capacity : {1u, 2u, 3u, 5u}) {
    channel<int> ch(capacity);
    int sent = 0, received = 0;
    for (int round = 0; round < 50; ++round) {
      while (ch.try_send(sent) == channel_status::ok) ++sent;
      EXPECT_EQ(ch.recv(), received);
      ++received;
    }
    EXPECT_EQ(sent - received, static_cast<int>(capacity) - 1);
  }
}

TEST(Channel, SizeCountsBufferedValues) {
  channel<int> ch(3);
  EXPECT_EQ(ch.size(), 0u);
  EXPECT_TRUE(ch.send(1));
  EXPECT_TRUE(ch.send(2));
  EXPECT_EQ(ch.size(), 2u);
  EXPECT_EQ(ch.recv(), 1);
  EXPECT_EQ(ch.size(), 1u);
}

TEST(Channel, TryRecvTellsEmptyFromClosed) {
  channel<int> ch(1);
  EXPECT_EQ(ch.try_recv().error(), errc::empty);
  EXPECT_TRUE(ch.send(7));
  EXPECT_EQ(ch.try_recv().value(), 7);
  EXPECT_TRUE(ch.close());
  EXPECT_EQ(ch.try_recv().error(), errc::closed);
}

TEST(Channel, TryRecvIntoLeavesTheTargetUnlessOk) {
  channel<std::string> ch(1);
  std::string to = "before";
  EXPECT_EQ(ch.try_recv(to), channel_status::empty);
  EXPECT_EQ(to, "before");
  EXPECT_TRUE(ch.send("value"));
  EXPECT_EQ(ch.try_recv(to), channel_status::ok);
  EXPECT_EQ(to, "value");
  ch.close();
  EXPECT_EQ(ch.try_recv(to), channel_status::closed);
  EXPECT_EQ(to, "value");
}

TEST(Channel, TrySendTellsFullFromClosed) {
  channel<int> ch(1);
  EXPECT_EQ(ch.try_send(1), channel_status::ok);
  EXPECT_EQ(ch.try_send(2), channel_status::full);
  ch.close();
  EXPECT_EQ(ch.try_send(3), channel_status::closed);
}

TEST(Channel, RefusedValueIsNotMovedFrom) {
  channel<std::unique_ptr<int>> ch(1);
  EXPECT_TRUE(ch.send(std::make_unique<int>(1)));
  auto kept = std::make_unique<int>(2);
  EXPECT_EQ(ch.try_send(std::move(kept)), channel_status::full);
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(ch.send_for(1ms, std::move(kept)), channel_status::timeout);
  ASSERT_NE(kept, nullptr);
  auto canceled = spool::with_cancel(spool::context::background());
  canceled.cancel();
  EXPECT_EQ(ch.send(canceled.ctx(), std::move(kept)), channel_status::canceled);
  ASSERT_NE(kept, nullptr);
  ch.close();
  EXPECT_EQ(ch.try_send(std::move(kept)), channel_status::closed);
  ASSERT_NE(kept, nullptr);
  EXPECT_FALSE(ch.send(std::move(kept)));
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(*kept, 2);
}

TEST(Channel, CopySendLeavesTheOriginal) {
  channel<std::string> ch(5);
  const std::string original = "a text too long for the small buffer of a string";
  EXPECT_TRUE(ch.send(original));
  EXPECT_EQ(ch.try_send(original), channel_status::ok);
  EXPECT_EQ(ch.send_for(1s, original), channel_status::ok);
  EXPECT_EQ(ch.send(spool::context::background(), original), channel_status::ok);
  EXPECT_EQ(ch.send_until(std::chrono::steady_clock::now() + 1s, original), channel_status::ok);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ch.recv(), "a text too long for the small buffer of a string");
  EXPECT_EQ(original, "a text too long for the small buffer of a string");
}

TEST(Channel, CarriesTypesThatOnlyMove) {
  channel<only_movable> ch(2);
  only_movable mine(1);
  EXPECT_TRUE(ch.send(std::move(mine)));
  EXPECT_EQ(mine.value, -1);
  EXPECT_EQ(ch.try_send(only_movable(2)), channel_status::ok);
  EXPECT_EQ(ch.recv()->value, 1);
  EXPECT_EQ(ch.try_recv().value().value, 2);
  EXPECT_EQ(ch.try_send(only_movable(3)), channel_status::ok);
  EXPECT_EQ(ch.recv_for(1s).value().value, 3);
  EXPECT_EQ(ch.try_send(only_movable(4)), channel_status::ok);
  EXPECT_EQ(ch.recv(spool::context::background()).value().value, 4);
}

TEST(Channel, CarriesOptionalsChannelsAndErrors) {
  channel<std::optional<int>> optionals(2);
  EXPECT_TRUE(optionals.send(std::nullopt));
  EXPECT_TRUE(optionals.send(std::optional<int>(3)));
  const std::optional<std::optional<int>> first = optionals.recv();
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(first->has_value());
  EXPECT_EQ(**optionals.recv(), 3);

  channel<channel<int>> replies(1);
  channel<int> reply(1);
  EXPECT_TRUE(replies.send(reply));
  EXPECT_TRUE(replies.recv()->send(5));
  EXPECT_EQ(reply.recv(), 5);

  channel<spool::error> errors(2);
  EXPECT_TRUE(errors.send(spool::error(errc::full)));
  EXPECT_EQ(errors.try_recv().value(), errc::full);
  EXPECT_TRUE(errors.send(spool::error()));
  EXPECT_FALSE(errors.recv_for(1s).value());
}

TEST(Channel, RespectsAlignment) {
  struct alignas(256) wide {
    int value = 0;
  };
  channel<wide> ch(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ch.send(wide{i}));
  for (int i = 0; i < 3; ++i) {
    const auto got = ch.recv();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*got) % 256, 0u);
    EXPECT_EQ(got->value, i);
  }
}

TEST(Channel, EveryValueIsDestroyedOnce) {
  const auto token = std::make_shared<int>(0);
  {
    channel<std::shared_ptr<int>> ch(4);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(ch.send(token));
    EXPECT_EQ(token.use_count(), 5);
    (void)ch.recv();
    EXPECT_EQ(token.use_count(), 4);
    EXPECT_TRUE(ch.send(token));  // wrapped around
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Channel, CloseDrainsBufferedValues) {
  channel<int> ch(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ch.send(i));
  EXPECT_TRUE(ch.close());
  EXPECT_EQ(ch.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ch.recv(), i);
  EXPECT_EQ(ch.recv(), std::nullopt);
  EXPECT_EQ(ch.recv(), std::nullopt);
}

TEST(Channel, SecondCloseIsFalse) {
  channel<int> ch;
  EXPECT_FALSE(ch.closed());
  EXPECT_TRUE(ch.close());
  EXPECT_TRUE(ch.closed());
  EXPECT_FALSE(ch.close());
}

TEST(Channel, SendOnClosedIsFalse) {
  channel<int> ch(1);
  ch.close();
  EXPECT_FALSE(ch.send(1));
  EXPECT_EQ(ch.send_for(1h, 1), channel_status::closed);
  EXPECT_EQ(ch.send(spool::context::background(), 1), channel_status::closed);
  EXPECT_EQ(ch.size(), 0u);
}

TEST(Channel, RecvOnClosedTellsSo) {
  channel<int> ch(1);
  ch.close();
  int to = 4;
  EXPECT_EQ(ch.recv_for(1h).error(), errc::closed);
  EXPECT_EQ(ch.recv(spool::context::background()).error(), errc::closed);
  EXPECT_EQ(ch.recv_for(1h, to), channel_status::closed);
  EXPECT_EQ(ch.recv(spool::context::background(), to), channel_status::closed);
  EXPECT_EQ(ch.recv_until(std::chrono::system_clock::now() + 1h, to), channel_status::closed);
  EXPECT_EQ(to, 4);
}

TEST(Channel, TimesOutWhenNothingComes) {
  channel<int> ch(1);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(ch.recv_for(5ms).error(), errc::deadline_exceeded);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
  EXPECT_EQ(ch.recv_for(5ms).error(), std::errc::timed_out);
  EXPECT_EQ(ch.recv_until(std::chrono::steady_clock::now() + 1ms).error(), errc::deadline_exceeded);
  EXPECT_TRUE(ch.send(1));
  EXPECT_EQ(ch.send_for(5ms, 2), channel_status::timeout);
  EXPECT_EQ(ch.send_until(std::chrono::system_clock::now(), 2), channel_status::timeout);
  EXPECT_EQ(ch.size(), 1u);
}

TEST(Channel, ZeroOrNegativeTimeStillTakesWhatIsThere) {
  channel<int> ch(1);
  EXPECT_EQ(ch.send_for(0s, 1), channel_status::ok);
  EXPECT_EQ(ch.send_for(-1h, 2), channel_status::timeout);
  EXPECT_EQ(ch.recv_for(-1h).value(), 1);
  EXPECT_EQ(ch.recv_for(0s).error(), errc::deadline_exceeded);
}

TEST(Channel, HugeDurationsSaturate) {
  channel<int> ch(1);
  EXPECT_TRUE(ch.send(1));
  EXPECT_EQ(ch.recv_for(std::chrono::hours::max()).value(), 1);
  EXPECT_EQ(ch.send_for(std::chrono::years(100000), 2), channel_status::ok);
  std::thread closer([ch] {
    spool_test::await_receivers(ch, 1);
    ch.close();
  });
  EXPECT_EQ(ch.recv(), 2);
  EXPECT_EQ(ch.recv_for(std::chrono::hours::max()).error(), errc::closed);  // waited, and not for ever
  closer.join();
}

TEST(Channel, DoneContextWinsOverReadyOperation) {
  auto canceled = spool::with_cancel(spool::context::background());
  canceled.cancel();
  channel<int> ch(2);
  EXPECT_TRUE(ch.send(1));
  int to = 9;
  EXPECT_EQ(ch.recv(canceled.ctx()).error(), errc::canceled);
  EXPECT_EQ(ch.recv(canceled.ctx(), to), channel_status::canceled);
  EXPECT_EQ(to, 9);
  EXPECT_EQ(ch.send(canceled.ctx(), 2), channel_status::canceled);
  EXPECT_EQ(ch.size(), 1u);
  ch.close();
  EXPECT_EQ(ch.send(canceled.ctx(), 2), channel_status::canceled);
}

TEST(Channel, PassedDeadlineIsTimeoutNotCanceled) {
  auto over = spool::with_timeout(spool::context::background(), -1s);
  channel<int> ch(1);
  int to = 0;
  EXPECT_EQ(ch.send(over.ctx(), 1), channel_status::timeout);
  EXPECT_EQ(ch.recv(over.ctx(), to), channel_status::timeout);
  EXPECT_EQ(ch.recv(over.ctx()).error(), errc::deadline_exceeded);
}

TEST(Channel, StatusConvertsToError) {
  EXPECT_EQ(spool::error(channel_status::closed), errc::closed);
  EXPECT_EQ(spool::error(channel_status::full), errc::full);
  EXPECT_EQ(spool::error(channel_status::empty), errc::empty);
  EXPECT_EQ(spool::error(channel_status::canceled), errc::canceled);
  EXPECT_EQ(spool::error(channel_status::timeout), errc::deadline_exceeded);
}

TEST(ChannelHandle, CopiesNameTheSameChannel) {
  channel<int> a(1);
  channel<int> b = a;
  EXPECT_EQ(a, b);
  EXPECT_NE(a, channel<int>(1));
  EXPECT_TRUE(a.send(3));
  EXPECT_EQ(b.recv(), 3);
  b.close();
  EXPECT_TRUE(a.closed());
}

TEST(ChannelHandle, AreCounted) {
  channel<int> a(1);
  const auto handles = [&] { return spool::detail::handle_access::base(a, "test")->references(); };
  EXPECT_EQ(handles(), 1u);
  {
    const channel<int> b = a;
    channel<int> c = b;
    EXPECT_EQ(handles(), 3u);
    channel<int> d = std::move(c);
    EXPECT_EQ(handles(), 3u);
    const channel<int>& same = d;
    d = same;
    EXPECT_EQ(handles(), 3u);
  }
  EXPECT_EQ(handles(), 1u);
}

TEST(ChannelHandle, MovedFromThrowsAndSaysWhatToDo) {
  channel<int> a(1);
  channel<int> b = std::move(a);
  EXPECT_THROW((void)a.send(1), std::logic_error);
  EXPECT_THROW((void)a.recv(), std::logic_error);
  EXPECT_THROW((void)a.try_send(1), std::logic_error);
  EXPECT_THROW((void)a.try_recv(), std::logic_error);
  EXPECT_THROW((void)a.recv_for(1s), std::logic_error);
  EXPECT_THROW((void)a.send(spool::context(), 1), std::logic_error);
  EXPECT_THROW((void)a.close(), std::logic_error);
  EXPECT_THROW((void)a.closed(), std::logic_error);
  EXPECT_THROW((void)a.size(), std::logic_error);
  EXPECT_THROW((void)a.capacity(), std::logic_error);
  EXPECT_THROW((void)a.begin(), std::logic_error);
  EXPECT_THROW((void)on_recv(a), std::logic_error);
  EXPECT_THROW((void)on_send(a, 1), std::logic_error);
  try {
    (void)a.recv();
  } catch (const std::logic_error& e) {
    EXPECT_NE(std::string(e.what()).find("use of a moved-from channel"), std::string::npos) << e.what();
  }
}

TEST(ChannelHandle, MovedFromMayBeAssignedAndDestroyed) {
  channel<int> a(1);
  channel<int> b = std::move(a);
  a = b;
  EXPECT_TRUE(a.send(1));
  EXPECT_EQ(b.recv(), 1);
  a = std::move(b);
  EXPECT_TRUE(a.send(2));
  const channel<int> copy_of_moved_from = b;  // as empty as b
  EXPECT_THROW((void)copy_of_moved_from.recv(), std::logic_error);
}

TEST(ChannelHandle, OnlyNullptrIsNil) {
  channel<int> nil = nullptr;
  channel<int> real;
  EXPECT_TRUE(nil == nullptr);
  EXPECT_FALSE(real == nullptr);
  channel<int> other = std::move(real);
  EXPECT_FALSE(real == nullptr);
  EXPECT_TRUE(nil == channel<int>(nullptr));
}

TEST(NilChannel, TriesFindItFullAndEmpty) {
  channel<int> nil = nullptr;
  EXPECT_EQ(nil.try_send(1), channel_status::full);
  EXPECT_EQ(nil.try_recv().error(), errc::empty);
  int to = 3;
  EXPECT_EQ(nil.try_recv(to), channel_status::empty);
  EXPECT_EQ(to, 3);
  EXPECT_EQ(nil.size(), 0u);
  EXPECT_EQ(nil.capacity(), 0u);
  EXPECT_FALSE(nil.closed());
}

TEST(NilChannel, CloseIsMisuse) {
  channel<int> nil = nullptr;
  EXPECT_THROW((void)nil.close(), std::logic_error);
}

TEST(NilChannel, WaitsUntilTheBound) {
  channel<int> nil = nullptr;
  EXPECT_EQ(nil.recv_for(2ms).error(), errc::deadline_exceeded);
  int value = 5;
  EXPECT_EQ(nil.send_for(2ms, value), channel_status::timeout);
  auto soon = spool::with_timeout(spool::context::background(), 2ms);
  EXPECT_EQ(nil.recv(soon.ctx()).error(), errc::deadline_exceeded);
  EXPECT_EQ(nil.send(soon.ctx(), value), channel_status::timeout);
}

TEST(NilChannel, SenderAndReceiverNeverMeet) {
  channel<int> nil = nullptr;
  std::thread sender([nil] { EXPECT_EQ(nil.send_for(20ms, 1), channel_status::timeout); });
  EXPECT_EQ(nil.recv_for(20ms).error(), errc::deadline_exceeded);
  sender.join();
}

TEST(NilChannel, MayBeReplaced) {
  channel<int> ch = nullptr;
  ch = channel<int>(1);
  EXPECT_TRUE(ch.send(1));
  const channel<int> kept = ch;
  ch = nullptr;
  EXPECT_EQ(ch.try_recv().error(), errc::empty);
  EXPECT_EQ(kept.recv(), 1);
}

TEST(ChannelRange, EndsWhenClosedAndDrained) {
  channel<int> ch(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ch.send(i));
  ch.close();
  std::vector<int> got;
  for (int v : ch) got.push_back(v);
  EXPECT_EQ(got, (std::vector{0, 1, 2, 3}));
}

TEST(ChannelRange, OfAClosedEmptyChannelIsEmpty) {
  channel<int> ch;
  ch.close();
  for (int v : ch) ADD_FAILURE() << v;
}

TEST(ChannelRange, HandsOverValuesThatOnlyMove) {
  channel<std::unique_ptr<int>> ch(2);
  EXPECT_TRUE(ch.send(std::make_unique<int>(1)));
  EXPECT_TRUE(ch.send(std::make_unique<int>(2)));
  ch.close();
  int sum = 0;
  for (auto v : ch) sum += *v;
  EXPECT_EQ(sum, 3);

  channel<only_movable> strict(1);
  EXPECT_TRUE(strict.send(only_movable(4)));
  strict.close();
  for (auto&& v : strict) sum += v.value;
  EXPECT_EQ(sum, 7);
}

TEST(ChannelRange, ValuesMayBeChangedInPlace) {
  channel<std::string> ch(1);
  EXPECT_TRUE(ch.send("a"));
  ch.close();
  for (auto& v : ch) {
    v += "b";
    EXPECT_EQ(v, "ab");
  }
}

TEST(ChannelRange, BreakLeavesTheRest) {
  channel<int> ch(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ch.send(i));
  for (int v : ch) {
    if (v == 0) break;
  }
  EXPECT_EQ(ch.size(), 2u);
  EXPECT_EQ(ch.recv(), 1);
}

TEST(ChannelRange, OutlivesTheHandleItWasBegunWith) {
  channel<int> ch(2);
  EXPECT_TRUE(ch.send(1));
  EXPECT_TRUE(ch.send(2));
  ch.close();
  std::vector<int> got;
  for (int v : ch) {
    ch = nullptr;
    got.push_back(v);
  }
  EXPECT_EQ(got, (std::vector{1, 2}));
}
