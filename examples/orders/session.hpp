// One connection: the decoding stage in the fiber that calls run(), and the writer of its answers in a second one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <spool/net/tcp_stream.hpp>
#include <spool/spool.hpp>
#include <string>
#include <vector>

#include "client.hpp"

namespace orders {

class session {
 public:
  // `ctx` done: the connection is dropped as it stands.
  session(boost::asio::ip::tcp::socket socket, std::string peer, std::size_t most_outbox_bytes,
          const spool::context& ctx, spool::channel<client_request> requests);

  enum class ending { none, closed, malformed, stopped, slow };

  // Serves the connection until the client has closed it, has sent nonsense, or was given up because it does not
  // read, and all that it is owed is written. What it was that ended it.
  ending run();

  // Takes no more requests; what the client is owed is still written. From any fiber, while run() runs.
  void stop_taking() { stop_taking(ending::stopped); }

 private:
  void read_requests();
  // The bytes that were whole frames, sent on to the matching stage; `bad`: the next is not a frame.
  std::size_t decode_frames(std::span<const std::byte> in, bool& bad);
  // The first call decides.
  void stop_taking(ending why);
  void write_answers();
  void give_up();

  spool::cancel_scope connection_;
  spool::tcp_stream stream_;
  spool::channel<client_request> requests_;
  client client_;
  spool::wait_group reading_;  // one until the connection is read no more
  spool::mutex mutex_;         // held while requests are sent on, so that `gone` is the last of them
  ending ended_ = ending::none;
  std::atomic<bool> slow_{false};
};

}  // namespace orders
