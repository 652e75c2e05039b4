// An HTTP/1.1 server for examples: Boost.Beast for the protocol, a fiber per request, limits on everything that a
// client controls. A connection between two requests holds no fiber and no stack, only 1 KiB of buffer: ten thousand of
// them are cheap.
#pragma once

#include <spool/spool.hpp>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace http {

using request = boost::beast::http::request<boost::beast::http::string_body>;
using response = boost::beast::http::response<boost::beast::http::string_body>;

struct server_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                             // 0: any free one
  std::size_t max_connections = 20'000;               // beyond them new ones wait to be accepted
  std::uint32_t max_header_bytes = 8 * 1024;          // more: 431
  std::uint64_t max_body_bytes = 64 * 1024;           // more: 413
  std::chrono::milliseconds request_timeout{10'000};  // from a request's first byte to its last: 408; to send an answer
  std::chrono::milliseconds idle_timeout{60'000};     // between two requests
};

/// Answers one request, on a fiber of its own. Its context is done when the client hangs up, or when the server's is.
/// An exception becomes a 500.
///
/// Hangs up: breaks the connection, or closes it. A client that only ends its own sending (shutdown) still wants the
/// answer; TCP tells the two apart no sooner than something is sent. So, if the answer takes 100 ms longer than that,
/// an interim "100 Continue" is: who has closed answers it with a reset, who listens skips it, as HTTP/1.1 demands.
using handler = std::function<response(const spool::context&, const request&)>;

class server_core;

/// Requests of one connection are answered in order, one at a time.
class server {
 public:
  /// Binds and listens; on a fiber. boost::system::system_error when the address cannot be had.
  server(server_options options, handler handle);
  /// Stops, and waits for the connections.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  std::uint16_t port() const noexcept;

  /// Accepts and serves until stop_accepting() is called or ctx is done, then waits for the connections it has. Once.
  /// Requests' contexts derive from ctx. The error that ended it, or ctx's; none when it was stopped.
  spool::error serve(const spool::context& ctx);
  /// Ends the listening, and the connections that are between two requests; the others end after their answer. Never
  /// waits.
  void stop_accepting();
  /// Waits until every connection has ended, or ctx is done.
  spool::error drain(const spool::context& ctx);
  std::size_t connections() const noexcept;

 private:
  std::shared_ptr<server_core> core_;
};

/// A response to `to` with a body and what belongs to it.
response reply(const request& to, boost::beast::http::status status, std::string body,
               std::string_view content_type = "application/json");

}  // namespace http
