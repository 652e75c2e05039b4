#include <spool/net/tcp_stream.hpp>

#include "connected_pair.hpp"

#include "../support/runtimes.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <string>
#include <thread>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using spool_test::connected_pair;

class TcpStream : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(TcpStream);

TEST_P(TcpStream, CarriesMoreThanTheSocketBuffersHold) {
  run([] {
    connected_pair pair;
    spool::tcp_stream near(std::move(pair.near)), far(std::move(pair.far));
    const std::string sent(8 << 20, 'x');
    spool::wait_group writer;
    writer.go([&] {
      EXPECT_EQ(asio::write(near, asio::buffer(sent)), sent.size());
      near.socket().shutdown(asio::socket_base::shutdown_send);
    });
    std::string received;
    boost::system::error_code ec;
    asio::read(far, asio::dynamic_buffer(received), ec);
    EXPECT_EQ(ec, asio::error::eof);
    EXPECT_EQ(received, sent);
    writer.wait();
  });
}

TEST_P(TcpStream, AnswersLineByLine) {
  run([] {
    connected_pair pair;
    spool::tcp_stream near(std::move(pair.near)), far(std::move(pair.far));
    spool::wait_group echo;
    echo.go([&] {
      std::string lines;
      boost::system::error_code ec;
      while (const std::size_t n = asio::read_until(far, asio::dynamic_buffer(lines), '\n', ec)) {
        asio::write(far, asio::buffer(lines.data(), n));
        lines.erase(0, n);
      }
      EXPECT_EQ(ec, asio::error::eof);
    });
    std::string answer;
    for (int i = 0; i < 300; ++i) {
      const std::string line = "line " + std::to_string(i) + '\n';
      asio::write(near, asio::buffer(line));
      const std::size_t n = asio::read_until(near, asio::dynamic_buffer(answer), '\n');
      ASSERT_EQ(answer.substr(0, n), line);
      answer.erase(0, n);
    }
    near.socket().close();
    echo.wait();
  });
}

TEST_P(TcpStream, StopsWhenTheContextIsDone) {
  run([] {
    connected_pair pair;
    spool::tcp_stream near(std::move(pair.near));
    std::string buffer(1, ' ');
    boost::system::error_code ec;
    {
      const auto scope = spool::with_timeout(spool::context::background(), 3ms);
      near.set_context(scope.ctx());
      EXPECT_EQ(near.read_some(asio::buffer(buffer), ec), 0u);
      EXPECT_EQ(ec, asio::error::timed_out);
    }
    const auto scope = spool::with_cancel(spool::context::background());
    near.set_context(scope.ctx());
    spool::go([&] { scope.cancel(); });
    EXPECT_EQ(near.read_some(asio::buffer(buffer), ec), 0u);
    EXPECT_EQ(ec, asio::error::operation_aborted);
    EXPECT_EQ(near.write_some(asio::buffer(buffer), ec), 0u);
    EXPECT_EQ(ec, asio::error::operation_aborted);
    EXPECT_THROW(near.write_some(asio::buffer(buffer)), boost::system::system_error);
    near.set_context(spool::context::background());
    asio::write(pair.far, asio::buffer("y", 1));
    EXPECT_EQ(near.read_some(asio::buffer(buffer), ec), 1u);
    EXPECT_EQ(buffer, "y");
  });
}

TEST_P(TcpStream, OneDirectionMayStopAlone) {
  run([] {
    connected_pair pair;
    spool::tcp_stream near(std::move(pair.near));
    const auto scope = spool::with_cancel(spool::context::background());
    near.set_read_context(scope.ctx());
    scope.cancel();
    std::string buffer(1, 'w');
    boost::system::error_code ec;
    EXPECT_EQ(near.read_some(asio::buffer(buffer), ec), 0u);
    EXPECT_EQ(ec, asio::error::operation_aborted);
    EXPECT_EQ(near.write_some(asio::buffer(buffer), ec), 1u);
    EXPECT_FALSE(ec) << ec.message();
  });
}

TEST_P(TcpStream, SeesThatThePeerHasGone) {
  run([] {
    connected_pair pair;
    spool::tcp_stream near(std::move(pair.near));
    EXPECT_FALSE(near.peer_gone());
    asio::write(pair.far, asio::buffer("z", 1));
    EXPECT_FALSE(near.peer_gone());
    std::string buffer(1, ' ');
    near.read_some(asio::buffer(buffer));
    pair.far.close();
    boost::system::error_code ec;
    near.read_some(asio::buffer(buffer), ec);
    EXPECT_EQ(ec, asio::error::eof);
    EXPECT_TRUE(near.peer_gone());
  });
}

TEST_P(TcpStream, BlocksAPlainThread) {
  run([] {
    connected_pair pair;
    std::string received(3, ' ');
    std::thread reader([&] {
      spool::tcp_stream near(std::move(pair.near));
      asio::read(near, asio::buffer(received));
    });
    asio::write(pair.far, asio::buffer("abc", 3));
    spool::blocking([&] { reader.join(); });
    EXPECT_EQ(received, "abc");
  });
}

}  // namespace
