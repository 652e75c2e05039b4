#include <spool/net/tcp_stream.hpp>

#include <spool/base/error.hpp>
#include <spool/net/use_fiber.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <boost/container/static_vector.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <span>
#include <utility>

namespace spool {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t most_pieces = 16;  // as many as tcp_stream hands over

/// The outcome of one system call, errno included: it is read before anything can move the fiber to another thread.
struct transfer {
  ssize_t bytes;
  int error;
};

/// `call` is recvmsg or sendmsg.
template <class Buffer, class Call>
[[gnu::noinline]] transfer try_now(Call call, int fd, std::span<const Buffer> list) noexcept {
  iovec pieces[most_pieces];
  for (std::size_t i = 0; i < list.size(); ++i) pieces[i] = {const_cast<void*>(list[i].data()), list[i].size()};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = list.size();
  ssize_t n;
  do {
    n = call(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return {n, n < 0 ? errno : 0};
}

bool must_wait(const transfer& t) noexcept {
  return t.error == EAGAIN || t.error == EWOULDBLOCK;
}

std::size_t bytes_in(std::span<const asio::mutable_buffer> list) noexcept {
  std::size_t bytes = 0;
  for (const auto& piece : list) bytes += piece.size();
  return bytes;
}

/// True, and the error that says so: ctx is done.
bool stopped(const context& ctx, error_code& ec) {
  if (!ctx.done()) return false;
  ec = ctx.err() == errc::deadline_exceeded ? error_code(asio::error::timed_out) : asio::error::operation_aborted;
  return true;
}

/// A list of buffers as Asio takes it.
template <class Buffer>
auto sequence(std::span<const Buffer> list) {
  return boost::container::static_vector<Buffer, most_pieces>(list.begin(), list.end());
}

}  // namespace

tcp_stream::tcp_stream(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {
  error_code ignored;  // a peer that has gone already is found out by the first read
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  // Asio would do it at the first wait, and note it in the socket: in both directions at once, perhaps.
  socket_.native_non_blocking(true, ignored);
}

std::size_t tcp_stream::read_pieces(const asio::mutable_buffer* first, std::size_t n, error_code& ec) {
  const std::span list(first, n);
  ec.clear();
  if (stopped(read_ctx_, ec) || n == 0) return 0;
  std::size_t bytes = 0;
  // A peer that has been read empty has seldom sent more by now: waiting at once saves a call that would find nothing.
  const transfer now = more_to_read_ ? try_now(::recvmsg, socket_.native_handle(), list) : transfer{-1, EAGAIN};
  if (!must_wait(now)) {
    detail::spend_budget();
    if (now.bytes < 0) {
      ec.assign(now.error, boost::system::system_category());
      return 0;
    }
    bytes = static_cast<std::size_t>(now.bytes);
    if (bytes == 0) ec = asio::error::eof;
  } else {
    bytes = socket_.async_read_some(sequence(list), use_fiber(read_ctx_)[ec]);
    if (ec == asio::error::operation_aborted) stopped(read_ctx_, ec);
  }
  more_to_read_ = bytes == bytes_in(list);
  return bytes;
}

std::size_t tcp_stream::write_pieces(const asio::const_buffer* first, std::size_t n, error_code& ec) {
  const std::span list(first, n);
  ec.clear();
  if (stopped(write_ctx_, ec) || n == 0) return 0;
  const transfer now = try_now(::sendmsg, socket_.native_handle(), list);
  if (!must_wait(now)) {
    detail::spend_budget();
    if (now.bytes >= 0) return static_cast<std::size_t>(now.bytes);
    ec.assign(now.error, boost::system::system_category());
    return 0;
  }
  const std::size_t bytes = socket_.async_write_some(sequence(list), use_fiber(write_ctx_)[ec]);
  if (ec == asio::error::operation_aborted) stopped(write_ctx_, ec);
  return bytes;
}

bool tcp_stream::peer_gone() const noexcept {
  char byte;
  auto& socket = const_cast<asio::ip::tcp::socket&>(socket_);
  const ssize_t n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

}  // namespace spool
