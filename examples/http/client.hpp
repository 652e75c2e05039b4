// An HTTP/1.1 client for examples: keeps a bounded number of connections per host and uses them again.
#pragma once

#include <spool/spool.hpp>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace http {

struct url {
  std::string host;
  std::string port;    // as text: "80"
  std::string target;  // path and query, never empty
};

/// Takes an absolute http:// URL apart, or says what is wrong with it.
spool::result<url> parse_url(std::string_view text);

struct client_options {
  std::size_t connections_per_host = 16;
  std::size_t max_body_bytes = 16 * 1024 * 1024;
};

/// Thread safe. Every call ends when its context is done.
class client {
 public:
  using response_type = boost::beast::http::response<boost::beast::http::string_body>;

  explicit client(client_options options = {});
  ~client();
  spool::result<response_type> get(const spool::context& ctx, const url& where);
  spool::result<response_type> send(const spool::context& ctx, const url& where,
                                    boost::beast::http::request<boost::beast::http::string_body> request);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace http
