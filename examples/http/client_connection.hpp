#pragma once

#include <spool/net/tcp_stream.hpp>

#include <boost/beast/core/flat_buffer.hpp>

#include <cstddef>
#include <utility>

namespace http {

// One of a client's connections.
struct client_connection {
  explicit client_connection(boost::asio::ip::tcp::socket socket) : stream(std::move(socket)) {
    buffer.reserve(buffer_bytes);  // Beast reads as much at a time as there is room, and begins with 512 bytes
  }

  static constexpr std::size_t buffer_bytes = 32 * 1024;

  spool::tcp_stream stream;
  boost::beast::flat_buffer buffer;  // what was received beyond the message that was read
};

/// Nothing has come since the last answer. Otherwise the server has closed the connection, or has said something that
/// was not asked for (408 before it closes, as a rule): no answer to a request that is sent now.
bool is_quiet(client_connection& idle) noexcept;

}  // namespace http
