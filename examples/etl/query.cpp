#include "query.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace etl {
namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::optional<std::string> decode(std::string_view encoded) {
  std::string value;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      value.push_back(encoded[i]);
      continue;
    }
    const std::string_view digits = encoded.substr(i + 1, 2);
    unsigned char byte = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (failed != std::errc() || digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
    value.push_back(static_cast<char>(byte));
    i += 2;
  }
  return value;
}

}  // namespace

std::string encode_query(std::string_view value) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(value.size());
  for (const char c : value) {
    if (is_unreserved(c)) {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return encoded;
}

std::optional<std::string> query_value(std::string_view target, std::string_view name) {
  const std::size_t mark = target.find('?');
  if (mark == target.npos) return std::nullopt;
  for (std::string_view left = target.substr(mark + 1); !left.empty();) {
    const std::string_view pair = left.substr(0, left.find('&'));
    left.remove_prefix(std::min(pair.size() + 1, left.size()));
    const std::size_t equals = pair.find('=');
    if (equals != pair.npos && pair.substr(0, equals) == name) return decode(pair.substr(equals + 1));
  }
  return std::nullopt;
}

}  // namespace etl
