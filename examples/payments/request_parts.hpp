#pragma once

#include "http/server.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace payments {

// The target without a query.
std::string_view path_of(const http::request& req);

// None: not well-formed.
std::optional<std::string> percent_decoded(std::string_view text);

// No other type is declared. A form's type counts as none: that is what `curl -d` says unasked.
bool may_be_json(const http::request& req);

}  // namespace payments
