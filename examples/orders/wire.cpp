#include "wire.hpp"

#include <type_traits>

namespace orders {
namespace {

constexpr std::size_t length_bytes = 2;
constexpr std::size_t head_bytes = length_bytes + 1;

class frame_writer {
 public:
  frame_writer(std::byte* out, std::uint8_t kind) : start_(out), at_(out + length_bytes) { put(kind); }

  template <class Integer>
  void put(Integer value) {
    for (std::size_t i = 0; i < sizeof value; ++i) *at_++ = static_cast<std::byte>(value >> (8 * i) & 0xff);
  }
  void put(side way) { put(static_cast<std::uint8_t>(way)); }

  std::size_t end() {
    const auto bytes = static_cast<std::size_t>(at_ - start_);
    at_ = start_;
    put(static_cast<std::uint16_t>(bytes - length_bytes));
    return bytes;
  }

 private:
  std::byte* start_;
  std::byte* at_;
};

class frame_reader {
 public:
  explicit frame_reader(const std::byte* in) : at_(in) {}

  template <class Integer>
  void get(Integer& into) {
    std::make_unsigned_t<Integer> value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) {
      value = static_cast<decltype(value)>(value | std::to_integer<decltype(value)>(*at_++) << (8 * i));
    }
    into = value;
  }
  // False: not a value of the enumeration.
  template <class Enum>
  bool get(Enum& into, Enum first, Enum last) {
    std::uint8_t value = 0;
    get(value);
    into = static_cast<Enum>(value);
    return into >= first && into <= last;
  }

 private:
  const std::byte* at_;
};

// The length field of a kind; 0: no such kind.
constexpr std::size_t length_of(request_kind kind) {
  switch (kind) {
    case request_kind::new_order: return 1 + 8 + 8 + 4 + 1 + 4 + 4;
    case request_kind::cancel: return 1 + 8 + 8;
  }
  return 0;
}

constexpr std::size_t length_of(answer_kind kind) {
  switch (kind) {
    case answer_kind::ack: return 1 + 8 + 8;
    case answer_kind::fill: return 1 + 8 + 8 + 1 + 4 + 4 + 4;
    case answer_kind::reject: return 1 + 8 + 8 + 1 + 1;
    case answer_kind::cancelled: return 1 + 8 + 8 + 4;
  }
  return 0;
}

static_assert(length_bytes + length_of(request_kind::new_order) <= most_frame_bytes);
static_assert(length_bytes + length_of(answer_kind::fill) <= most_frame_bytes);

template <class Kind>
decoded check_frame(std::span<const std::byte> in, Kind longest, Kind& kind, std::size_t& bytes) {
  if (in.size() < length_bytes) return decoded::incomplete;
  frame_reader head(in.data());
  std::uint16_t length = 0;
  head.get(length);
  if (length == 0 || length > length_of(longest)) return decoded::malformed;
  if (in.size() < head_bytes) return decoded::incomplete;
  std::uint8_t number = 0;
  head.get(number);
  kind = static_cast<Kind>(number);
  if (length != length_of(kind)) return decoded::malformed;
  bytes = length_bytes + length;
  return in.size() < bytes ? decoded::incomplete : decoded::message;
}

}  // namespace

decoded decode(std::span<const std::byte> in, request& into, std::size_t& bytes) {
  const decoded state = check_frame(in, request_kind::new_order, into.kind, bytes);
  if (state != decoded::message) return state;
  frame_reader fields(in.data() + head_bytes);
  fields.get(into.id);
  fields.get(into.sent_at);
  if (into.kind == request_kind::cancel) return decoded::message;
  fields.get(into.symbol);
  const bool has_side = fields.get(into.way, side::buy, side::sell);
  fields.get(into.price);
  fields.get(into.quantity);
  return has_side ? decoded::message : decoded::malformed;
}

decoded decode(std::span<const std::byte> in, answer& into, std::size_t& bytes) {
  const decoded state = check_frame(in, answer_kind::fill, into.kind, bytes);
  if (state != decoded::message) return state;
  frame_reader fields(in.data() + head_bytes);
  fields.get(into.id);
  fields.get(into.sent_at);
  bool known = true;
  switch (into.kind) {
    case answer_kind::ack: break;
    case answer_kind::fill:
      known = fields.get(into.way, side::buy, side::sell);
      fields.get(into.price);
      fields.get(into.quantity);
      fields.get(into.remaining);
      break;
    case answer_kind::reject:
      known = fields.get(into.of, request_kind::new_order, request_kind::cancel);
      known = fields.get(into.reason, reject_reason::malformed, reject_reason::unknown_order) && known;
      break;
    case answer_kind::cancelled: fields.get(into.quantity); break;
  }
  return known ? decoded::message : decoded::malformed;
}

std::size_t encode(const request& message, std::byte* out) {
  frame_writer fields(out, static_cast<std::uint8_t>(message.kind));
  fields.put(message.id);
  fields.put(message.sent_at);
  if (message.kind == request_kind::new_order) {
    fields.put(message.symbol);
    fields.put(message.way);
    fields.put(message.price);
    fields.put(message.quantity);
  }
  return fields.end();
}

std::size_t encode(const answer& message, std::byte* out) {
  frame_writer fields(out, static_cast<std::uint8_t>(message.kind));
  fields.put(message.id);
  fields.put(message.sent_at);
  switch (message.kind) {
    case answer_kind::ack: break;
    case answer_kind::fill:
      fields.put(message.way);
      fields.put(message.price);
      fields.put(message.quantity);
      fields.put(message.remaining);
      break;
    case answer_kind::reject:
      fields.put(static_cast<std::uint8_t>(message.of));
      fields.put(static_cast<std::uint8_t>(message.reason));
      break;
    case answer_kind::cancelled: fields.put(message.quantity); break;
  }
  return fields.end();
}

}  // namespace orders
