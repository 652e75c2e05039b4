// The text in front of a response's body.
#pragma once

#include "http/server.hpp"

#include <string>

namespace http {

/// The status line and the header, with Date and the empty line at the end.
std::string response_head(const response& res);

}  // namespace http
