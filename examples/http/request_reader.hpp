// Reads requests from a connection, within limits.
#pragma once

#include "http/server.hpp"

#include <spool/net/tcp_stream.hpp>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/status.hpp>

#include <optional>

namespace http {

/// What came: a request, or the status to refuse it with, or neither when the client has gone.
struct incoming {
  std::optional<request> complete;
  std::optional<boost::beast::http::status> refusal;
};

/// Takes the next request out of `buffer`, and reads on where that is not enough; waits for options.request_timeout at
/// the longest, and until ctx is done. What follows the request stays in `buffer`.
incoming read_request(spool::tcp_stream& stream, boost::beast::flat_buffer& buffer, const server_options& options,
                      const spool::context& ctx);

}  // namespace http
