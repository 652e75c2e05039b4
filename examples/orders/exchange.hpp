// The service: accepts connections, and runs the three stages.
//
//   session (one per connection)     matching stage          publishing stage
//     read, decode  --requests-->  order books, engine  --answers-->  encode, outbox
//     write  <------------------------- one outbox per connection ---------/
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <spool/spool.hpp>
#include <string>
#include <vector>

#include "client.hpp"
#include "matching_engine.hpp"
#include "session.hpp"

namespace orders {

struct exchange_options {
  std::uint16_t port = 0;  // 0: one that is free
  std::size_t symbols = 16;
  std::size_t most_connections = 1024;
  std::size_t queued_requests = 1024;
  std::size_t queued_answers = 1024;
  std::size_t most_outbox_bytes = 1 << 20;
  std::chrono::milliseconds drain_for{5000};
};

struct exchange_report {
  std::uint64_t connections = 0;
  std::uint64_t malformed = 0;  // connections that were closed for it
  std::uint64_t slow = 0;       // connections that were closed because the client did not read
  bool drained = true;          // at the end nobody had to be cut off
  engine_totals engine;
};

class exchange {
 public:
  // Listens on loopback; on a fiber. A port that is taken: boost::system::system_error.
  explicit exchange(exchange_options chosen);

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  // Serves until ctx is done; then takes no connections and no requests any more, answers those it has taken, and
  // returns.
  exchange_report run(const spool::context& ctx);

 private:
  void accept(const spool::context& ctx);
  void serve(boost::asio::ip::tcp::socket socket);
  void match();
  void publish();
  void drain();

  const exchange_options options_;
  boost::asio::ip::tcp::acceptor acceptor_;
  spool::channel<client_request> requests_;
  spool::channel<client_answer> answers_;
  const spool::cancel_scope connections_ = spool::with_cancel(spool::context::background());
  spool::semaphore room_;  // for connections
  spool::wait_group sessions_;
  spool::mutex mutex_;
  std::vector<session*> live_;  // guarded by mutex_, as is:
  bool stopping_ = false;
  matching_engine engine_;  // the matching stage's own
  exchange_report report_;  // what the sessions add to it is guarded by mutex_
};

}  // namespace orders
