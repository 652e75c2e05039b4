// An HTTP/1.1 server for examples: one fiber per connection, Boost.Beast for the protocol, limits on everything that a
// client controls.
#pragma once

#include <spool/spool.hpp>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace http {

using request = boost::beast::http::request<boost::beast::http::string_body>;
using response = boost::beast::http::response<boost::beast::http::string_body>;

struct server_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                          // 0: any free one
  std::size_t max_connections = 20'000;            // beyond them new ones wait to be accepted
  std::size_t max_header_bytes = 8 * 1024;         // more: 431
  std::size_t max_body_bytes = 64 * 1024;          // more: 413
  std::chrono::milliseconds request_timeout{10'000};  // from the first byte of a request to its last: 408
  std::chrono::milliseconds idle_timeout{60'000};     // between two requests
};

/// Answers one request, on the fiber of its connection. Its context is done when the client hangs up or when the server is
/// told to cancel. An exception becomes a 500.
using handler = std::function<response(const spool::context&, const request&)>;

class server {
 public:
  /// Binds and listens. boost::system::system_error when the address cannot be had.
  server(server_options options, handler handle);
  ~server();
  std::uint16_t port() const noexcept;

  /// Accepts and serves until stop_accepting(), or until ctx is done; then waits for the connections it has.
  /// Requests' contexts derive from ctx.
  spool::error serve(const spool::context& ctx);
  /// Closes the listening socket and the connections that are between two requests; the others end after their answer.
  void stop_accepting();
  /// Waits until every connection has ended, or ctx is done.
  spool::error drain(const spool::context& ctx);
  std::size_t connections() const noexcept;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

/// A response to `to` with a body and the headers that every answer has.
response reply(const request& to, boost::beast::http::status status, std::string body, std::string_view content_type = "application/json");

}  // namespace http
