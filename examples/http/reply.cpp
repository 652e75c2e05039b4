#include "http/server.hpp"

#include <boost/beast/http/field.hpp>

#include <utility>

namespace http {

response reply(const request& to, boost::beast::http::status status, std::string body, std::string_view content_type) {
  response res(status, to.version());
  res.set(boost::beast::http::field::content_type, {content_type.data(), content_type.size()});
  res.keep_alive(to.keep_alive());
  res.body() = std::move(body);
  res.prepare_payload();
  return res;
}

}  // namespace http
