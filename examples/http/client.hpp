// An HTTP/1.1 client for examples: keeps a bounded number of connections per host and uses them again.
#pragma once

#include "url.hpp"

#include <spool/spool.hpp>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstddef>
#include <memory>

namespace http {

struct client_options {
  std::size_t connections_per_host = 16;
  std::size_t idle_connections = 256;  // kept open to all hosts together
  std::size_t max_body_bytes = 16 * 1024 * 1024;
};

/// Thread safe; for the fibers of one runtime, and destroyed before it ends. Waits for a free connection, first come,
/// first served. Every call ends when its context is done, with the context's code; every error's message names the
/// host. Redirections are answers like others. Go: net/http.Client.
class client {
 public:
  using request_type = boost::beast::http::request<boost::beast::http::string_body>;
  using response_type = boost::beast::http::response<boost::beast::http::string_body>;

  /// No connection per host: std::invalid_argument.
  explicit client(client_options options = {});
  ~client();

  spool::result<response_type> get(const spool::context& ctx, const url& where);

  /// Target and Host are taken from `where`; User-Agent and the body's length are added. When a connection that was
  /// used before turns out to be closed, an idempotent request is sent once more, on a new one.
  spool::result<response_type> send(const spool::context& ctx, const url& where, request_type request);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace http
