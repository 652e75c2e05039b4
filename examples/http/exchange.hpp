#pragma once

#include "client_connection.hpp"
#include "url.hpp"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstddef>

namespace http {

struct exchange_outcome {
  spool::result<boost::beast::http::response<boost::beast::http::string_body>> answer;
  bool reusable;      // another request may be sent on the connection
  bool nothing_came;  // the connection ended before a byte of the answer, and not because of ctx
};

/// Sends a request and receives its answer.
exchange_outcome exchange(const spool::context& ctx, client_connection& link, const url& where,
                          const boost::beast::http::request<boost::beast::http::string_body>& request,
                          std::size_t max_body_bytes);

}  // namespace http
