#include "html_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace crawler {
namespace {

struct named_character {
  std::string_view name;
  char character;
};
constexpr std::array<named_character, 5> named{{{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};

void append_utf8(std::string& out, std::uint32_t c) {
  const auto part = [&](std::uint32_t bits) { out.push_back(static_cast<char>(bits)); };
  if (c < 0x80) {
    part(c);
  } else if (c < 0x800) {
    part(0xc0 | c >> 6);
    part(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    part(0xe0 | c >> 12);
    part(0x80 | (c >> 6 & 0x3f));
    part(0x80 | (c & 0x3f));
  } else {
    part(0xf0 | c >> 18);
    part(0x80 | (c >> 12 & 0x3f));
    part(0x80 | (c >> 6 & 0x3f));
    part(0x80 | (c & 0x3f));
  }
}

// `digits` is what stands between "&#" and ";".
bool append_numbered(std::string& out, std::string_view digits) {
  const bool hexadecimal = digits.starts_with('x') || digits.starts_with('X');
  if (hexadecimal) digits.remove_prefix(1);
  std::uint32_t number = 0;
  const auto [end, problem] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, hexadecimal ? 16 : 10);
  if (problem != std::errc{} || end != digits.data() + digits.size()) return false;
  const bool surrogate = number >= 0xd800 && number < 0xe000;
  if (number == 0 || number > 0x10ffff || surrogate) return false;
  append_utf8(out, number);
  return true;
}

// `entity` is what stands between "&" and ";".
bool append_character(std::string& out, std::string_view entity) {
  if (entity.starts_with('#')) return append_numbered(out, entity.substr(1));
  for (const auto& [name, character] : named) {
    if (entity == name) {
      out.push_back(character);
      return true;
    }
  }
  return false;
}

}  // namespace

std::string decode_entities(std::string_view text) {
  constexpr std::size_t longest = 10;  // of those we know, with leading zeros
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t start = std::min(text.find('&'), text.size());
    out.append(text.substr(0, start));
    text.remove_prefix(start);
    if (text.empty()) break;
    const std::size_t end = text.substr(0, longest + 1).find(';');
    if (end != text.npos && append_character(out, text.substr(1, end - 1))) {
      text.remove_prefix(end + 1);
    } else {
      out.push_back('&');
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string encode_entities(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto* const found =
        std::find_if(named.begin(), named.end(), [&](const auto& each) { return each.character == c; });
    if (found == named.end()) {
      out.push_back(c);
    } else {
      out.append("&").append(found->name).append(";");
    }
  }
  return out;
}

}  // namespace crawler
