// use_fiber with the other kinds of I/O objects: resolvers, datagrams, signals, posted functions, Beast, TLS.
#include <spool/net/fiber_executor.hpp>
#include <spool/net/tcp_stream.hpp>
#include <spool/net/use_fiber.hpp>

#include "connected_pair.hpp"
#include "test_certificate.hpp"

#include "../support/runtimes.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <tuple>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using namespace std::chrono_literals;
using spool::use_fiber;
using spool_test::connected_pair;

class AsioObjects : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(AsioObjects);

TEST_P(AsioObjects, ResolverFindsANumericHost) {
  run([] {
    asio::ip::tcp::resolver resolver(spool::io_context());
    const auto found = resolver.async_resolve("127.0.0.1", "80", use_fiber);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.begin()->endpoint().port(), 80);
  });
}

TEST_P(AsioObjects, DatagramsArrive) {
  run([] {
    using asio::ip::udp;
    udp::socket a(spool::io_context(), udp::endpoint(asio::ip::address_v4::loopback(), 0));
    udp::socket b(spool::io_context(), udp::endpoint(asio::ip::address_v4::loopback(), 0));
    auto received = spool::async([&] {
      std::string text(16, ' ');
      udp::endpoint from;
      text.resize(b.async_receive_from(asio::buffer(text), from, use_fiber));
      EXPECT_EQ(from, a.local_endpoint());
      return text;
    });
    a.async_send_to(asio::buffer("datagram", 8), b.local_endpoint(), use_fiber);
    EXPECT_EQ(received.get(), "datagram");
  });
}

TEST_P(AsioObjects, SignalSetWaits) {
  run([] {
    asio::signal_set signals(spool::io_context(), SIGUSR2);
    spool::go([] { ::kill(::getpid(), SIGUSR2); });  // not raise: workers block signals
    EXPECT_EQ(signals.async_wait(use_fiber), SIGUSR2);
  });
}

TEST_P(AsioObjects, FunctionsPostedToTheFiberExecutorMayWait) {
  run([] {
    spool::channel<int> ch;
    asio::post(spool::fiber_executor(), [ch] { (void)ch.send(7); });
    EXPECT_EQ(ch.recv(), 7);
    asio::steady_timer timer(spool::io_context(), 1ms);
    timer.async_wait(asio::bind_executor(spool::fiber_executor(), [ch](const boost::system::error_code&) {
      spool::this_fiber::sleep_for(1ms);
      (void)ch.send(8);
    }));
    EXPECT_EQ(ch.recv(), 8);
  });
}

TEST_P(AsioObjects, PostIsAnOperationWithoutResult) {
  run([] {
    asio::post(spool::io_context(), use_fiber);
    asio::post(spool::fiber_executor(), use_fiber);
  });
}

http::response<http::string_body> answer_to(const http::request<http::string_body>& request) {
  http::response<http::string_body> response(http::status::ok, 11);
  response.body() = "you asked for " + std::string(request.target());
  response.prepare_payload();
  return response;
}

template <class Stream>
std::string ask(Stream& stream, const std::string& target) {
  http::request<http::string_body> request(http::verb::get, target, 11);
  request.set(http::field::host, "localhost");
  http::async_write(stream, request, use_fiber);
  boost::beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::async_read(stream, buffer, response, use_fiber);
  return response.body();
}

TEST_P(AsioObjects, BeastSpeaksHttpAsynchronouslyAndInBlockingStyle) {
  run([] {
    connected_pair pair;
    spool::wait_group server;
    server.go([&] {
      spool::tcp_stream stream(std::move(pair.far));
      boost::beast::flat_buffer buffer;
      boost::system::error_code ec;
      for (;;) {
        http::request<http::string_body> request;
        http::read(stream, buffer, request, ec);
        if (ec) break;
        http::write(stream, answer_to(request));
      }
      EXPECT_EQ(ec, http::error::end_of_stream);
    });
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(ask(pair.near, "/" + std::to_string(i)), "you asked for /" + std::to_string(i));
    }
    pair.near.close();
    server.wait();
  });
}

TEST_P(AsioObjects, BeastIsCancelledByAContext) {
  run([] {
    connected_pair pair;
    const auto scope = spool::with_timeout(spool::context::background(), 3ms);
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    boost::system::error_code ec;
    http::async_read(pair.near, buffer, response, use_fiber(scope.ctx())[ec]);
    EXPECT_EQ(ec, asio::error::operation_aborted);
  });
}

TEST_P(AsioObjects, TlsStreamsWorkBothWays) {
  run([] {
    connected_pair pair;
    ssl::context server_side(ssl::context::tls_server), client_side(ssl::context::tls_client);
    spool_test::use_test_certificate(server_side);
    client_side.set_verify_mode(ssl::verify_none);
    spool::wait_group server;
    server.go([&] {
      spool::tcp_stream lower(std::move(pair.far));  // blocking style on one end
      ssl::stream<spool::tcp_stream&> stream(lower, server_side);
      stream.handshake(ssl::stream_base::server);
      boost::beast::flat_buffer buffer;
      http::request<http::string_body> request;
      http::read(stream, buffer, request);
      http::write(stream, answer_to(request));
    });
    ssl::stream<asio::ip::tcp::socket&> stream(pair.near, client_side);  // asynchronous operations on the other
    stream.async_handshake(ssl::stream_base::client, use_fiber);
    EXPECT_EQ(ask(stream, "/secret"), "you asked for /secret");
    server.wait();
  });
}

}  // namespace
