// The bytes of requests and answers.

#include <gtest/gtest.h>

#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

#include "wire.hpp"

namespace {

using namespace orders;

template <class Message>
std::vector<std::byte> frame_of(const Message& message) {
  std::vector<std::byte> bytes(most_frame_bytes);
  bytes.resize(encode(message, bytes.data()));
  return bytes;
}

// Bytes after the frame are not looked at; of an incomplete frame nothing is taken.
template <class Message>
Message decoded_from(const std::vector<std::byte>& frame) {
  Message read;
  std::size_t bytes = 0;
  for (std::size_t n = 0; n < frame.size(); ++n) {
    EXPECT_EQ(decode(std::span(frame).first(n), read, bytes), decoded::incomplete) << n;
  }
  std::vector<std::byte> longer = frame;
  longer.resize(frame.size() + 5, std::byte{0xff});
  EXPECT_EQ(decode(longer, read, bytes), decoded::message);
  EXPECT_EQ(bytes, frame.size());
  return read;
}

decoded as_request(std::initializer_list<unsigned> bytes) {
  std::vector<std::byte> in;
  for (const unsigned b : bytes) in.push_back(static_cast<std::byte>(b));
  request ignored;
  std::size_t used = 0;
  return decode(in, ignored, used);
}

TEST(OrdersWire, RequestsComeBackAsTheyWere) {
  const auto placed = decoded_from<request>(frame_of(request{.kind = request_kind::new_order,
                                                             .id = 0x0102030405060708,
                                                             .sent_at = UINT64_MAX,
                                                             .symbol = 0xfffefdfc,
                                                             .way = side::sell,
                                                             .price = 77,
                                                             .quantity = 0x80000001}));
  EXPECT_EQ(placed.kind, request_kind::new_order);
  EXPECT_EQ(placed.id, 0x0102030405060708u);
  EXPECT_EQ(placed.sent_at, UINT64_MAX);
  EXPECT_EQ(placed.symbol, 0xfffefdfcu);
  EXPECT_EQ(placed.way, side::sell);
  EXPECT_EQ(placed.price, 77u);
  EXPECT_EQ(placed.quantity, 0x80000001u);
  const auto cancel = decoded_from<request>(frame_of(request{.kind = request_kind::cancel, .id = 5, .sent_at = 6}));
  EXPECT_EQ(cancel.kind, request_kind::cancel);
  EXPECT_EQ(cancel.id, 5u);
  EXPECT_EQ(cancel.sent_at, 6u);
}

TEST(OrdersWire, AnswersComeBackAsTheyWere) {
  const auto ack = decoded_from<answer>(frame_of(answer{.kind = answer_kind::ack, .id = 1, .sent_at = 2}));
  EXPECT_EQ(ack.kind, answer_kind::ack);
  EXPECT_EQ(ack.id, 1u);
  EXPECT_EQ(ack.sent_at, 2u);
  const auto fill = decoded_from<answer>(frame_of(answer{
      .kind = answer_kind::fill, .id = 3, .sent_at = 4, .way = side::buy, .price = 5, .remaining = 7, .quantity = 6}));
  EXPECT_EQ(fill.kind, answer_kind::fill);
  EXPECT_EQ(fill.way, side::buy);
  EXPECT_EQ(fill.price, 5u);
  EXPECT_EQ(fill.quantity, 6u);
  EXPECT_EQ(fill.remaining, 7u);
  const auto reject = decoded_from<answer>(frame_of(answer{
      .kind = answer_kind::reject, .id = 8, .of = request_kind::cancel, .reason = reject_reason::unknown_order}));
  EXPECT_EQ(reject.of, request_kind::cancel);
  EXPECT_EQ(reject.reason, reject_reason::unknown_order);
  const auto gone = decoded_from<answer>(frame_of(answer{.kind = answer_kind::cancelled, .id = 9, .quantity = 10}));
  EXPECT_EQ(gone.kind, answer_kind::cancelled);
  EXPECT_EQ(gone.quantity, 10u);
}

TEST(OrdersWire, IsLittleEndianAndPacked) {
  const auto frame = frame_of(request{.kind = request_kind::cancel, .id = 0x0102, .sent_at = 0x03});
  std::vector<unsigned> bytes;
  for (const std::byte b : frame) bytes.push_back(std::to_integer<unsigned>(b));
  EXPECT_EQ(bytes, (std::vector<unsigned>{17, 0, 2, 2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(OrdersWire, NonsenseIsSeenWithoutWaitingForMore) {
  EXPECT_EQ(as_request({0, 0}), decoded::malformed);   // no room for a kind
  EXPECT_EQ(as_request({31, 0}), decoded::malformed);  // longer than any request
  EXPECT_EQ(as_request({0xff, 0xff}), decoded::malformed);
  EXPECT_EQ(as_request({30, 0, 0x02}), decoded::malformed);  // a cancel is shorter
  EXPECT_EQ(as_request({17, 0, 0x01}), decoded::malformed);
  EXPECT_EQ(as_request({17, 0, 0x81}), decoded::malformed);  // an answer
  EXPECT_EQ(as_request({17, 0, 0x00}), decoded::malformed);
  auto frame = frame_of(request{.id = 1, .price = 1, .quantity = 1});
  frame[2 + 1 + 8 + 8 + 4] = std::byte{3};  // the side
  request read;
  std::size_t bytes = 0;
  EXPECT_EQ(decode(frame, read, bytes), decoded::malformed);
}

}  // namespace
