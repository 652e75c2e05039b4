#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace etl {

// Percent-encodes what may stand in the query of a URL, as the value of a parameter.
std::string encode_query(std::string_view value);

// The decoded value of a parameter in a request's target, "/path?a=1&b=2"; nothing if it is missing or not well formed.
std::optional<std::string> query_value(std::string_view target, std::string_view name);

}  // namespace etl
