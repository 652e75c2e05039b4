// tcp_stream: a connected TCP socket that is read and written as if it blocked, while only the fiber waits.
#pragma once

#include <spool/context/context.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <cstddef>

namespace spool {

/// A SyncReadStream and SyncWriteStream of Asio: `asio::read`, `asio::write`, `asio::read_until`, Beast's `http::read`
/// and `http::write` and `asio::ssl::stream<tcp_stream&>` work on it as on a socket. An operation that can proceed is
/// one system call; only one that cannot goes through the reactor, as in Go's net package. On a plain thread it blocks
/// the thread. At most one fiber reads and one writes at a time. TCP_NODELAY is set.
class tcp_stream {
 public:
  using executor_type = boost::asio::ip::tcp::socket::executor_type;
  using lowest_layer_type = boost::asio::ip::tcp::socket::lowest_layer_type;

  /// Takes over a connected socket, made with spool::io_context() or any context that somebody serves.
  explicit tcp_stream(boost::asio::ip::tcp::socket socket);

  /// From now on reads and writes end with `operation_aborted` when ctx is done (`timed_out` when its deadline has
  /// passed); one that could proceed is not tried either. Not while one is under way.
  void set_context(const context& ctx) { read_ctx_ = write_ctx_ = ctx; }
  /// The same for one direction: a service that stops reads no more but still writes its answers.
  void set_read_context(const context& ctx) { read_ctx_ = ctx; }
  void set_write_context(const context& ctx) { write_ctx_ = ctx; }

  /// Waits until at least one byte has come; the number of bytes. The peer's orderly end: `boost::asio::error::eof`.
  template <class MutableBufferSequence>
  std::size_t read_some(const MutableBufferSequence& buffers, boost::system::error_code& ec) {
    pieces<boost::asio::mutable_buffer> list;
    return read_pieces(list.items.data(), list.fill(buffers), ec);
  }
  template <class MutableBufferSequence>
  std::size_t read_some(const MutableBufferSequence& buffers) {
    boost::system::error_code ec;
    return checked(read_some(buffers, ec), ec);
  }

  /// Waits until at least one byte has been taken; the number of bytes.
  template <class ConstBufferSequence>
  std::size_t write_some(const ConstBufferSequence& buffers, boost::system::error_code& ec) {
    pieces<boost::asio::const_buffer> list;
    return write_pieces(list.items.data(), list.fill(buffers), ec);
  }
  template <class ConstBufferSequence>
  std::size_t write_some(const ConstBufferSequence& buffers) {
    boost::system::error_code ec;
    return checked(write_some(buffers, ec), ec);
  }

  /// True: the peer has closed or broken the connection, as far as this end has heard. Does not wait, takes no data.
  bool peer_gone() const noexcept;

  boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }
  executor_type get_executor() noexcept { return socket_.get_executor(); }
  lowest_layer_type& lowest_layer() noexcept { return socket_.lowest_layer(); }

 private:
  static constexpr std::size_t most_pieces = 16;
  template <class Buffer>
  struct pieces {
    std::array<Buffer, most_pieces> items;  // what does not fit is left for the next call
    template <class Sequence>
    std::size_t fill(const Sequence& buffers) {
      std::size_t n = 0;
      for (auto it = boost::asio::buffer_sequence_begin(buffers), end = boost::asio::buffer_sequence_end(buffers);
           it != end && n < items.size(); ++it) {
        if (Buffer piece(*it); piece.size() != 0) items[n++] = piece;
      }
      return n;
    }
  };

  static std::size_t checked(std::size_t n, const boost::system::error_code& ec) {
    if (ec) throw boost::system::system_error(ec);
    return n;
  }
  std::size_t read_pieces(const boost::asio::mutable_buffer* list, std::size_t n, boost::system::error_code& ec);
  std::size_t write_pieces(const boost::asio::const_buffer* list, std::size_t n, boost::system::error_code& ec);

  boost::asio::ip::tcp::socket socket_;
  context read_ctx_ = context::background();
  context write_ctx_ = context::background();
  bool more_to_read_ = true;  // the reader's: its last read may have left something behind
};

}  // namespace spool
