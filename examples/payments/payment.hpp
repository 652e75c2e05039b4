#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace payments {

struct payment {
  std::string id;
  std::int64_t amount = 0;  // in minor units
  std::string currency;     // three capitals

  friend bool operator==(const payment&, const payment&) = default;
};

// A payment, and the key by which a repeated request for it is recognized.
struct entry {
  payment what;
  std::string key;
};

// Why a body is no payment.
struct complaint {
  bool malformed;  // not even JSON
  std::string why;
};

inline constexpr std::size_t most_id_bytes = 128;

// 1 to most_id_bytes bytes without control characters.
bool is_id(std::string_view text);

// {"id": text, "amount": integer above 0, "currency": "EUR"}; other members are ignored.
std::variant<payment, complaint> parse_payment(std::string_view json);

std::string to_json(const payment& p);
// {"error": why}
std::string error_json(std::string_view why);

}  // namespace payments
