#include "http/server_connection.hpp"

#include "http/request_reader.hpp"
#include "http/response_head.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/field.hpp>

#include <sys/socket.h>

#include <array>
#include <exception>
#include <utility>

namespace http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::beast::http::status;
using boost::system::error_code;
using std::chrono::steady_clock;

constexpr std::size_t resting_bytes = 1024;           // of buffer, for the first read of a request
constexpr std::size_t most_copied_body_bytes = 4096;  // to the head, since one buffer is sent at less cost than two
constexpr auto patience_before_asking = 100ms;
constexpr auto linger_for = 2s;
constexpr std::size_t most_lingering_bytes = 32 << 20;
constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void server_connection::begin(std::shared_ptr<server_core> core, asio::ip::tcp::socket socket,
                              const spool::context& ctx) {
  error_code ec;
  socket.non_blocking(true, ec);
  if (ec) return core->places.release();
  const auto self = std::make_shared<server_connection>(std::move(core), std::move(socket), ctx);
  self->resting_since_ = steady_clock::now();
  self->read_ahead(phase::resting);
  if (self->core_->stopping) self->end_if_idle(steady_clock::time_point::max());
}

server_connection::server_connection(std::shared_ptr<server_core> core, asio::ip::tcp::socket socket,
                                     const spool::context& ctx)
    : core_(std::move(core)), scope_(spool::with_cancel(ctx)), stream_(std::move(socket)) {
  stream_.set_context(scope_.ctx());
  core_->add(*this);
}

server_connection::~server_connection() {
  close();
  core_->remove(*this);
}

// Out of line: Asio looks into thread-local storage, and the caller goes on on another thread, perhaps.
[[gnu::noinline]] void server_connection::read_ahead(phase p) {
  reading_ahead_ = true;
  phase_.store(p, std::memory_order_relaxed);
  stream_.socket().async_read_some(
      buffer_.prepare(resting_bytes),
      asio::bind_allocator(read_memory_.get(), [self = shared_from_this()](const error_code& ec, std::size_t bytes) {
        self->arrived(ec, bytes);
      }));
}

/// On a worker's own stack, in the reactor.
void server_connection::arrived(const error_code& ec, std::size_t bytes) {
  arrived_with_ = ec;
  arrived_bytes_ = bytes;
  const bool may_ask = !old_client_;
  if (phase_.exchange(phase::arrived, std::memory_order_acq_rel) == phase::resting) {
    if (!ec) core_->runtime.go([self = shared_from_this()] { self->serve(); });
  } else if (ec == asio::error::eof) {
    core_->runtime.go([self = shared_from_this(), may_ask] { self->find_out_whether_peer_left(may_ask); });
  } else if (ec) {
    scope_.cancel(spool::error(std::error_code(ec), "the client broke the connection"));
  }
}

bool server_connection::take_arrived() {
  reading_ahead_ = false;
  if (arrived_with_) return false;
  buffer_.commit(arrived_bytes_);
  return true;
}

/// False: something has arrived already.
bool server_connection::rest() {
  resting_since_.store(steady_clock::now(), std::memory_order_relaxed);
  phase expected = phase::serving;
  if (!phase_.compare_exchange_strong(expected, phase::resting)) return false;
  // From here on another fiber may be at work. Pairs with server::stop_accepting().
  if (core_->stopping) end_if_idle(steady_clock::time_point::max());
  return true;
}

void server_connection::end_if_idle(steady_clock::time_point then) {
  const std::lock_guard lock(descriptor_);
  if (phase_ != phase::resting || resting_since_.load() > then || !stream_.socket().is_open()) return;
  // Ends the read. Bytes that have come just now are read all the same, and answered.
  ::shutdown(stream_.socket().native_handle(), SHUT_RD);
}

void server_connection::serve() {
  do {
    if (!take_arrived()) return close();
    do {
      if (!answer_request()) return close();
    } while (!reading_ahead_);  // the next one has come with it
  } while (!rest());
}

/// False: the connection is to be closed.
bool server_connection::answer_request() {
  incoming in = read_request(stream_, buffer_, core_->options, scope_.ctx());
  if (!in.complete) {
    if (in.refusal) refuse(*in.refusal);
    return false;
  }
  const request& req = *in.complete;
  old_client_ = req.version() < 11;
  answering_ = false;  // nobody reads it while there is no read ahead
  if (buffer_.size() == 0) {
    if (buffer_.capacity() > resting_bytes) buffer_.shrink_to_fit();
    read_ahead(phase::serving);
  }
  response res = handled(req);
  if (!req.keep_alive() || core_->stopping) res.keep_alive(false);
  if (!send(res, req.method() != boost::beast::http::verb::head)) return false;
  if (res.keep_alive()) return true;
  linger();
  return false;
}

response server_connection::handled(const request& req) {
  try {
    return core_->handle(scope_.ctx(), req);
  } catch (...) {
    return reply(req, status::internal_server_error, R"({"error": "internal error"})");
  }
}

void server_connection::refuse(status why) {
  response res(why, 11);
  const auto reason = boost::beast::http::obsolete_reason(why);
  res.set(boost::beast::http::field::content_type, "application/json");
  res.body() = "{\"error\": \"" + std::string(reason) + "\"}";
  res.prepare_payload();
  res.keep_alive(false);
  if (send(res, true)) linger();
}

/// False: the client does not take it.
bool server_connection::send(const response& res, bool with_body) {
  {
    const std::lock_guard lock(descriptor_);
    answering_ = true;
  }
  std::string text = response_head(res);
  const bool short_body = res.body().size() <= most_copied_body_bytes;
  if (with_body && short_body) text += res.body();
  error_code ec;
  std::size_t sent = stream_.socket().write_some(asio::buffer(text), ec);
  if (ec == asio::error::would_block) ec.clear(), sent = 0;
  if (ec) return false;
  const std::array<asio::const_buffer, 2> rest{
      asio::buffer(text) + sent, with_body && !short_body ? asio::buffer(res.body()) : asio::const_buffer()};
  if (asio::buffer_size(rest) == 0) return true;

  const spool::cancel_scope deadline = spool::with_timeout(scope_.ctx(), core_->options.request_timeout);
  stream_.set_context(deadline.ctx());
  asio::write(stream_, rest, ec);
  stream_.set_context(scope_.ctx());
  return !ec;
}

/// Closing with unread bytes resets the connection, and the client may lose the answer it has not read yet. So the end
/// is announced, and what still comes is thrown away for a while.
void server_connection::linger() {
  error_code ec;
  stream_.socket().shutdown(asio::socket_base::shutdown_send, ec);
  if (ec) return;
  if (reading_ahead_) {
    if (phase_ != phase::arrived) return;  // nothing unread
    if (!take_arrived()) return;
  }
  const spool::cancel_scope patience = spool::with_timeout(scope_.ctx(), linger_for);
  stream_.set_context(patience.ctx());
  buffer_.clear();
  buffer_.reserve(16 * 1024);
  for (std::size_t bytes = 0; !ec && bytes < most_lingering_bytes;) {
    bytes += stream_.read_some(buffer_.prepare(buffer_.capacity()), ec);
  }
}

void server_connection::close() noexcept {
  scope_.cancel();
  const std::lock_guard lock(descriptor_);
  error_code ignored;
  stream_.socket().close(ignored);
}

/// The client sends no more, while its request is being handled: it may have closed, or wait for the answer.
void server_connection::find_out_whether_peer_left(bool may_ask) {
  if (!may_ask || spool::this_fiber::sleep_for(scope_.ctx(), patience_before_asking)) return;
  const std::lock_guard lock(descriptor_);
  auto& socket = stream_.socket();
  if (answering_ || !socket.is_open()) return;
  const spool::error gone(std::make_error_code(std::errc::connection_reset), "the client has gone");
  if (::send(socket.native_handle(), interim.data(), interim.size(), MSG_NOSIGNAL) != ssize_t{interim.size()}) {
    return scope_.cancel(gone);
  }
  socket.async_wait(asio::ip::tcp::socket::wait_error, [self = shared_from_this(), gone](const error_code& ec) {
    if (!ec) self->scope_.cancel(gone);
  });
}

}  // namespace http
