// One client's connection. While it rests between two requests there is only this object, and one read under way in the
// reactor; the bytes that end the rest start a fiber, which ends when the connection rests again.
//
// The same read is under way while a request is being handled, unless the next one has come already: that is how a
// client that hangs up is noticed, at no cost. `phase_` decides who goes on when it completes:
//
//   serving -> resting   the fiber has answered; what arrives later starts another one
//   serving -> arrived   the fiber finds it when it has answered
//   resting -> arrived   starts a fiber
#pragma once

#include "http/operation_memory.hpp"
#include "http/server_core.hpp"

#include <spool/net/tcp_stream.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/system/error_code.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>

namespace http {

class server_connection : public std::enable_shared_from_this<server_connection> {
 public:
  /// Begins with the first read. Requests' contexts derive from ctx.
  static void begin(std::shared_ptr<server_core> core, boost::asio::ip::tcp::socket socket, const spool::context& ctx);
  server_connection(std::shared_ptr<server_core> core, boost::asio::ip::tcp::socket socket, const spool::context& ctx);
  ~server_connection();

  /// If it has rested since before `then`: as if the client had closed it. From any thread.
  void end_if_idle(std::chrono::steady_clock::time_point then);

 private:
  enum class phase { serving, resting, arrived };

  void read_ahead(phase p);
  void arrived(const boost::system::error_code& ec, std::size_t bytes);
  bool take_arrived();
  bool rest();

  void serve();
  bool answer_request();
  void refuse(boost::beast::http::status why);
  response handled(const request& req);
  bool send(const response& res, bool with_body);
  void linger();
  void close() noexcept;
  void find_out_whether_peer_left(bool may_ask);

  const std::shared_ptr<server_core> core_;
  const spool::cancel_scope scope_;  // cancelled when the client has hung up
  spool::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;  // while a read is ahead, touched by that read only
  operation_memory read_memory_;

  std::atomic<phase> phase_{phase::serving};
  std::atomic<std::chrono::steady_clock::time_point> resting_since_{};
  bool reading_ahead_ = false;  // the rest is the serving fiber's, and arrived()'s before it sets phase_
  bool old_client_ = false;     // HTTP/1.0
  std::size_t arrived_bytes_ = 0;
  boost::system::error_code arrived_with_;

  std::mutex descriptor_;   // held by who uses the descriptor without being the serving fiber, and to close it
  bool answering_ = false;  // guarded by descriptor_: the answer is on its way
};

}  // namespace http
