#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace etl {

struct event {
  std::string id;
  std::string customer;
  std::string country;
  std::int64_t amount = 0;

  bool operator==(const event&) const = default;
};

// Why a line is no event.
struct rejection {
  std::string why;

  bool operator==(const rejection&) const = default;
};

// Reads {"id": text, "customer": text, "country": text, "amount": integer}; further members are ignored. A text has 1
// to 256 bytes and no control characters, so that every database takes it and every terminal survives it.
std::variant<event, rejection> parse_event(std::string_view line);

}  // namespace etl
