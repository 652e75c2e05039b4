#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>

#include "connected_pair.hpp"

#include "../support/runtimes.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <string>
#include <thread>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using spool::use_fiber;
using spool_test::connected_pair;

class UseFiber : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(UseFiber);

TEST_P(UseFiber, WaitsForATimer) {
  run([] {
    asio::steady_timer timer(spool::io_context(), 5ms);
    const auto began = std::chrono::steady_clock::now();
    timer.async_wait(use_fiber);
    EXPECT_GE(std::chrono::steady_clock::now() - began, 5ms);
  });
}

TEST_P(UseFiber, EchoesOverSockets) {
  run([] {
    connected_pair pair;
    spool::wait_group echo;
    echo.go([&] {
      std::array<char, 64> buffer;
      boost::system::error_code ec;
      for (;;) {
        const std::size_t n = pair.far.async_read_some(asio::buffer(buffer), use_fiber[ec]);
        if (ec) break;
        asio::async_write(pair.far, asio::buffer(buffer, n), use_fiber);
      }
      EXPECT_EQ(ec, asio::error::eof);
    });
    for (int i = 0; i < 200; ++i) {
      const std::string sent = "message " + std::to_string(i);
      EXPECT_EQ(asio::async_write(pair.near, asio::buffer(sent), use_fiber), sent.size());
      std::string received(sent.size(), ' ');
      asio::async_read(pair.near, asio::buffer(received), use_fiber);
      ASSERT_EQ(received, sent);
    }
    pair.near.shutdown(tcp::socket::shutdown_send);
    echo.wait();
  });
}

TEST_P(UseFiber, ThrowsTheError) {
  run([] {
    connected_pair pair;
    pair.far.close();
    std::array<char, 1> buffer;
    try {
      pair.near.async_read_some(asio::buffer(buffer), use_fiber);
      ADD_FAILURE() << "read from a closed peer";
    } catch (const boost::system::system_error& e) {
      EXPECT_EQ(e.code(), asio::error::eof);
    }
  });
}

TEST_P(UseFiber, EndsWhenTheContextIsDone) {
  run([] {
    connected_pair pair;
    const auto scope = spool::with_timeout(spool::context::background(), 3ms);
    std::array<char, 1> buffer;
    boost::system::error_code ec;
    EXPECT_EQ(pair.near.async_read_some(asio::buffer(buffer), use_fiber(scope.ctx())[ec]), 0u);
    EXPECT_EQ(ec, asio::error::operation_aborted);
    EXPECT_EQ(scope.ctx().err(), spool::errc::deadline_exceeded);
    // A later operation on the same socket is not affected.
    pair.far.async_write_some(asio::buffer("x", 1), use_fiber);
    EXPECT_EQ(pair.near.async_read_some(asio::buffer(buffer), use_fiber), 1u);
  });
}

TEST_P(UseFiber, DoesNotBeginWhenTheContextIsDoneAlready) {
  run([] {
    connected_pair pair;
    pair.far.async_write_some(asio::buffer("x", 1), use_fiber);
    const auto scope = spool::with_cancel(spool::context::background());
    scope.cancel();
    std::array<char, 1> buffer;
    EXPECT_THROW(pair.near.async_read_some(asio::buffer(buffer), use_fiber(scope.ctx())), boost::system::system_error);
    EXPECT_EQ(pair.near.async_read_some(asio::buffer(buffer), use_fiber), 1u);
  });
}

}  // namespace
