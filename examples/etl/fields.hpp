// The three services, and the column that each of them fills.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "event.hpp"

namespace etl {

// What a column holds; monostate is NULL.
using field_value = std::variant<std::monostate, std::string, std::int64_t>;

struct field {
  std::string_view service;
  std::string_view column;  // also the member of the service's answer
  bool is_integer;
  std::string (*query)(const event&);  // what the service is asked: "?country=DE"
};

inline constexpr std::size_t field_count = 3;
extern const std::array<field, field_count> fields;  // geo, customer, price

// The field that is filled by the service of this name.
std::optional<std::size_t> find_field(std::string_view service);

// Reads {"<column>": value}; nothing if it is something else.
std::optional<field_value> parse_answer(const field& asked, std::string_view body);
std::string to_answer(const field& asked, const field_value& value);

}  // namespace etl
