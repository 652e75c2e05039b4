// The messages on the wire; README.md has the table. A frame is a length (16 bits, of what follows), a kind, and the
// fields of that kind, packed, integers little-endian. Each kind has one length, so a frame is right or wrong at its
// third byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace orders {

enum class side : std::uint8_t { buy = 1, sell = 2 };

enum class request_kind : std::uint8_t { new_order = 0x01, cancel = 0x02 };

enum class answer_kind : std::uint8_t { ack = 0x81, fill = 0x82, reject = 0x83, cancelled = 0x84 };

enum class reject_reason : std::uint8_t {
  malformed = 1,  // the connection is closed after it
  unknown_symbol,
  bad_price,
  bad_quantity,
  duplicate_id,   // the connection has an open order with this id
  too_many_open,  // open orders of this connection
  unknown_order,  // cancel: no open order has this id (any more)
};

struct request {
  request_kind kind = request_kind::new_order;
  std::uint64_t id = 0;       // the client's; unique among the open orders of its connection
  std::uint64_t sent_at = 0;  // the client's time stamp, echoed, never looked at
  // of a new order:
  std::uint32_t symbol = 0;
  side way = side::buy;
  std::uint32_t price = 0;  // in ticks
  std::uint32_t quantity = 0;
};

struct answer {
  answer_kind kind = answer_kind::ack;
  std::uint64_t id = 0;
  std::uint64_t sent_at = 0;  // of the order; of the cancel where that is answered
  // of a reject:
  request_kind of = request_kind::new_order;
  reject_reason reason = reject_reason::malformed;
  // of a fill:
  side way = side::buy;
  std::uint32_t price = 0;
  std::uint32_t remaining = 0;
  // of a fill, and what a cancel took out of the book:
  std::uint32_t quantity = 0;
};

inline constexpr std::size_t most_frame_bytes = 32;

enum class decoded : std::uint8_t { message, incomplete, malformed };

// Reads the first frame of `in`; `message` puts it into `into` and its size into `bytes`. A wrong length or kind is
// malformed as soon as it is seen: no more bytes are waited for.
decoded decode(std::span<const std::byte> in, request& into, std::size_t& bytes);
decoded decode(std::span<const std::byte> in, answer& into, std::size_t& bytes);

// Writes one frame; its size. `out` has room for most_frame_bytes.
std::size_t encode(const request& message, std::byte* out);
std::size_t encode(const answer& message, std::byte* out);

}  // namespace orders
