#pragma once

#include <spool/spool.hpp>

#include <string>
#include <string_view>

namespace http {

struct url {
  std::string host;    // lower case; an IPv6 address without its brackets
  std::string port;    // as text: "80"
  std::string target;  // path and query, never empty
};

/// Takes an absolute http:// URL apart, or says what is wrong with it. A fragment is dropped. What may not stand in a
/// request line (spaces, control characters, bytes beyond ASCII) must have been percent-encoded.
spool::result<url> parse_url(std::string_view text);

/// "host:port", IPv6 in brackets: names the server in messages, and whom a connection is shared with.
std::string authority(const url& where);

/// The value of a Host header: the authority without the port that needs no saying.
std::string host_header(const url& where);

/// The URL as text, without the port that needs no saying.
std::string to_string(const url& where);

}  // namespace http
