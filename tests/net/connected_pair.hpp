// Two sockets of the current runtime, connected to each other over loopback.
#pragma once

#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>
#include <spool/sync/future.hpp>

#include <boost/asio/ip/tcp.hpp>

namespace spool_test {

struct connected_pair {
  connected_pair() {
    using boost::asio::ip::tcp;
    tcp::acceptor acceptor(spool::io_context(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    auto accepted = spool::async([&] { return acceptor.async_accept(spool::use_fiber); });
    near.async_connect(acceptor.local_endpoint(), spool::use_fiber);
    far = accepted.get();
  }
  boost::asio::ip::tcp::socket near{spool::io_context()};
  boost::asio::ip::tcp::socket far{spool::io_context()};
};

}  // namespace spool_test
