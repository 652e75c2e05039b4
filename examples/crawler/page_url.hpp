#pragma once

#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <string_view>

#include "http/url.hpp"

namespace crawler {

// URLs in the one form in which a page is told from another: dot segments resolved, no fragment, letters and digits
// not percent-encoded, everything that may not stand in a request percent-encoded (as browsers do), hexadecimal in
// capitals.

// A URL as a person types it; what is wrong with it otherwise.
spool::result<http::url> parse_page_url(std::string_view text);

// Where a reference found on the page `base` leads (RFC 3986, section 5). Nothing: not to an http:// URL.
std::optional<http::url> resolve(const http::url& base, std::string_view reference);

// For a path segment of any bytes, to be put into a link.
std::string encode_segment(std::string_view name);

// "%20" and the like decoded. Nothing: not well-formed.
std::optional<std::string> decode_percent(std::string_view text);

}  // namespace crawler
