#pragma once

#include "client_connection.hpp"
#include "url.hpp"

#include <memory>

namespace http {

/// A connection to the first of the host's addresses that answers. Errors name the host; when ctx ended it, they have
/// its code.
spool::result<std::unique_ptr<client_connection>> connect(const spool::context& ctx, const url& where);

/// What ended a request to `where`: ctx if it is done, else `code`.
spool::error failure(const spool::context& ctx, const url& where, std::string_view what,
                     boost::system::error_code code);

}  // namespace http
