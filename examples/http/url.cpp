#include "url.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

namespace http {
namespace {

constexpr std::string_view default_port = "80";

spool::error refused(std::string_view text, std::string_view why) {
  constexpr std::size_t longest_shown = 200;
  std::string message(why);
  message.append(": '").append(text.substr(0, longest_shown)).append(text.size() > longest_shown ? "...'" : "'");
  return {std::make_error_code(std::errc::invalid_argument), std::move(message)};
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool printable(char c) noexcept { return c > ' ' && c < '\x7f'; }

bool starts_with_scheme(std::string_view text, std::string_view scheme) {
  return text.size() >= scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), text.begin(), [](char want, char c) { return want == lower(c); });
}

bool is_name(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

bool is_bracketed_address(std::string_view host) {
  return host.size() > 2 && std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
           return (lower(c) >= 'a' && lower(c) <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
         });
}

bool is_port(std::string_view port) {
  std::uint16_t number = 0;
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
  return problem == std::errc{} && end == port.data() + port.size() && number != 0;
}

/// "host", "host:" or "host:port" into `into`; or what is wrong.
std::string_view parse_authority(std::string_view text, url& into) {
  if (text.find('@') != text.npos) return "a URL with a user name is not supported";
  const bool bracketed = text.starts_with('[');
  const std::size_t host_end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && host_end == text.npos) return "']' is missing";
  std::string_view host = text.substr(0, bracketed ? host_end + 1 : host_end);
  std::string_view rest = text.substr(host.size());
  if (!(bracketed ? is_bracketed_address(host) : is_name(host))) return "no valid host name";
  if (!rest.empty() && !rest.starts_with(':')) return "no valid host name";
  if (!rest.empty()) rest.remove_prefix(1);
  if (rest.empty()) rest = default_port;
  if (!is_port(rest)) return "no valid port";
  if (bracketed) host = host.substr(1, host.size() - 2);
  into.host.resize(host.size());
  std::transform(host.begin(), host.end(), into.host.begin(), lower);
  rest.remove_prefix(std::min(rest.find_first_not_of('0'), rest.size()));
  into.port = rest;
  return {};
}

std::string bracketed(const std::string& host) { return host.find(':') == host.npos ? host : '[' + host + ']'; }

}  // namespace

spool::result<url> parse_url(std::string_view text) {
  if (starts_with_scheme(text, "https://")) return refused(text, "https is not supported");
  constexpr std::string_view scheme = "http://";
  if (!starts_with_scheme(text, scheme)) return refused(text, "not an absolute http:// URL");
  std::string_view rest = text.substr(scheme.size());
  rest = rest.substr(0, rest.find('#'));
  if (!std::all_of(rest.begin(), rest.end(), printable))
    return refused(text, "a character that must be percent-encoded");
  const std::string_view host_and_port = rest.substr(0, rest.find_first_of("/?"));
  url parsed;
  if (const std::string_view wrong = parse_authority(host_and_port, parsed); !wrong.empty())
    return refused(text, wrong);
  rest.remove_prefix(host_and_port.size());
  if (!rest.starts_with('/')) parsed.target = '/';
  parsed.target += rest;
  return parsed;
}

std::string authority(const url& where) { return bracketed(where.host) + ':' + where.port; }

std::string host_header(const url& where) {
  return where.port == default_port ? bracketed(where.host) : authority(where);
}

std::string to_string(const url& where) { return "http://" + host_header(where) + where.target; }

}  // namespace http
