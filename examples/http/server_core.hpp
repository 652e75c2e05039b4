// What a server and its connections share.
#pragma once

#include "http/server.hpp"

#include <spool/net/io_context.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_set>

namespace http {

class server_connection;

class server_core {
 public:
  server_core(server_options chosen, handler h);

  /// Registers a connection. It holds one of `places`, which remove gives back.
  void add(server_connection& c);
  void remove(server_connection& c) noexcept;
  /// Ends those that have been between two requests since before `then`.
  void end_idle(std::chrono::steady_clock::time_point then);

  const server_options options;
  const handler handle;
  spool::runtime& runtime;
  boost::asio::ip::tcp::acceptor acceptor;
  std::uint16_t port = 0;
  spool::semaphore places;
  spool::wait_group open;
  std::atomic<std::size_t> count{0};
  std::atomic<bool> stopping{false};
  const spool::cancel_scope listening = spool::with_cancel(spool::context::background());

 private:
  // A plain mutex: nobody waits for anything under it, and Asio's handlers, which must not park, take it too.
  std::mutex mu_;
  std::unordered_set<server_connection*> connections_;
};

}  // namespace http
