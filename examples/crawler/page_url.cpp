#include "page_url.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace crawler {
namespace {

constexpr std::string_view blanks = " \t\n\r\f";

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_unreserved(char c) noexcept {
  return is_letter(c) || is_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos;
}

// Neither allowed in a URL nor harmless: encoded wherever it stands.
bool must_be_encoded(char c) noexcept {
  return c <= ' ' || c >= '\x7f' || std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos;
}

int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The byte that "%XY" at `at` stands for, or -1.
int encoded_byte(std::string_view text, std::size_t at) noexcept {
  if (at + 2 >= text.size() || text[at] != '%') return -1;
  const int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void append_encoded(std::string& out, char c) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out.append({'%', digits[byte / 16], digits[byte % 16]});
}

std::string normal_encoding(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const int byte = encoded_byte(text, i); byte >= 0) {
      const char c = static_cast<char>(byte);
      is_unreserved(c) ? out.push_back(c) : append_encoded(out, c);
      i += 2;
    } else if (must_be_encoded(text[i])) {
      append_encoded(out, text[i]);
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// "/a/./b/../c" -> "/a/c"; never climbs above the root.
std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool ends_in_directory = false;
  for (std::size_t start = 1; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view segment = path.substr(start, end - start);
    ends_in_directory = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!ends_in_directory) kept.push_back(segment);
    start = end + 1;
  }
  std::string out;
  for (const std::string_view segment : kept) out.append("/").append(segment);
  if (ends_in_directory || out.empty()) out.push_back('/');
  return out;
}

std::string normal_target(std::string_view target) {
  const std::string encoded = normal_encoding(target);
  const std::size_t query = std::min(encoded.find('?'), encoded.size());
  return without_dot_segments(std::string_view(encoded).substr(0, query)) + encoded.substr(query);
}

// As browsers read a URL: blanks around it do not count, nor do line ends and tabs within.
std::string stripped(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  text = text.substr(first, text.find_last_not_of(blanks) - first + 1);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c != '\n' && c != '\r' && c != '\t') out.push_back(c);
  }
  return out;
}

bool has_scheme(std::string_view reference) {
  const std::size_t colon = reference.find_first_of(":/?#");
  if (colon == reference.npos || reference[colon] != ':' || colon == 0 || !is_letter(reference[0])) return false;
  for (const char c : reference.substr(0, colon)) {
    if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return false;
  }
  return true;
}

}  // namespace

spool::result<http::url> parse_page_url(std::string_view text) {
  const std::string meant = stripped(text);
  auto parsed = http::parse_url(normal_encoding(std::string_view(meant).substr(0, meant.find('#'))));
  if (parsed) parsed->target = normal_target(parsed->target);
  return parsed;
}

std::optional<http::url> resolve(const http::url& base, std::string_view reference) {
  const std::string meant = stripped(reference);
  const std::string_view text = std::string_view(meant).substr(0, meant.find('#'));
  const bool other_host = text.starts_with("//");
  if (other_host || has_scheme(text)) {
    auto parsed = parse_page_url(other_host ? "http:" + std::string(text) : text);
    return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
  }
  http::url found = base;
  if (text.empty()) return found;
  const std::string_view path = std::string_view(base.target).substr(0, base.target.find('?'));
  std::string target(text);
  if (text.starts_with('?')) {
    target.insert(0, path);
  } else if (!text.starts_with('/')) {
    target.insert(0, path.substr(0, path.rfind('/') + 1));
  }
  found.target = normal_target(target);
  return found;
}

std::string encode_segment(std::string_view name) {
  std::string out;
  for (const char c : name) is_unreserved(c) ? out.push_back(c) : append_encoded(out, c);
  return out;
}

std::optional<std::string> decode_percent(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int byte = encoded_byte(text, i);
    if (byte < 0) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

}  // namespace crawler
