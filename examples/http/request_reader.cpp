#include "http/request_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include <algorithm>
#include <cstddef>

namespace http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using beast::http::status;
using boost::system::error_code;

/// The stream as the parser reads it. A request that has come in one piece needs no timer; the first wait starts it.
class hurried_stream {
 public:
  hurried_stream(spool::tcp_stream& stream, const spool::context& ctx, std::chrono::milliseconds limit)
      : stream_(stream), ctx_(ctx), limit_(limit) {}
  ~hurried_stream() { stream_.set_context(ctx_); }
  hurried_stream(const hurried_stream&) = delete;
  hurried_stream& operator=(const hurried_stream&) = delete;

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, error_code& ec) {
    hurry();
    return stream_.read_some(buffers, ec);
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    hurry();
    return stream_.read_some(buffers);
  }
  void write_now(std::string_view text, error_code& ec) {
    hurry();
    stream_.write_some(asio::buffer(text), ec);
  }

 private:
  void hurry() {
    if (deadline_) return;
    deadline_.emplace(spool::with_timeout(ctx_, limit_));
    stream_.set_context(deadline_->ctx());
  }

  spool::tcp_stream& stream_;
  const spool::context& ctx_;
  const std::chrono::milliseconds limit_;
  std::optional<spool::cancel_scope> deadline_;
};

/// None: whatever happened, there is nobody left to tell.
std::optional<status> refusal_for(const error_code& ec) {
  using beast::http::error;
  if (ec == error::end_of_stream) return std::nullopt;
  if (ec == error::header_limit || ec == error::buffer_overflow) return status::request_header_fields_too_large;
  if (ec == error::body_limit) return status::payload_too_large;
  if (ec == asio::error::timed_out) return status::request_timeout;
  if (ec.category() == beast::http::make_error_code(error::bad_method).category()) return status::bad_request;
  return std::nullopt;
}

bool expects_continue(const request& req) {
  return req.version() >= 11 && beast::iequals(req[beast::http::field::expect], "100-continue");
}

}  // namespace

incoming read_request(spool::tcp_stream& stream, beast::flat_buffer& buffer, const server_options& options,
                      const spool::context& ctx) {
  hurried_stream source(stream, ctx, options.request_timeout);
  beast::http::request_parser<beast::http::string_body> parser;
  parser.header_limit(options.max_header_bytes);
  parser.body_limit(options.max_body_bytes);

  error_code ec;
  beast::http::read_header(source, buffer, parser, ec);
  if (ec) return {{}, refusal_for(ec)};
  const request& head = parser.get();
  if (head.version() >= 11 && head.count(beast::http::field::host) != 1) return {{}, status::bad_request};
  if (!parser.is_done()) {
    if (expects_continue(head)) source.write_now("HTTP/1.1 100 Continue\r\n\r\n", ec);
    if (const auto length = parser.content_length(); length && *length > buffer.capacity()) {
      buffer.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, 16 * 1024)));
    }
    if (!ec) beast::http::read(source, buffer, parser, ec);
    if (ec) return {{}, refusal_for(ec)};
  }
  return {parser.release(), {}};
}

}  // namespace http
