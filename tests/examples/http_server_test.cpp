// examples/http: the server, and clients that behave as clients do, and worse.

#include "http/server.hpp"

#include <spool/net/io_context.hpp>
#include <spool/net/tcp_stream.hpp>
#include <spool/net/use_fiber.hpp>
#include <spool/spool.hpp>

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/runtimes.hpp"

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using boost::beast::http::status;

class HttpServer : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(HttpServer);

/// A server and the fiber that serves; stopped at the end of the block.
class running_server {
 public:
  running_server(http::server_options options, http::handler handle)
      : server_(std::move(options), std::move(handle)),
        serving_(spool::async([this] { return server_.serve(scope_.ctx()); })) {}
  ~running_server() {
    if (serving_.valid()) {
      EXPECT_FALSE(stop());
    }
  }

  http::server& operator*() { return server_; }
  http::server* operator->() { return &server_; }
  spool::error stop() {
    server_.stop_accepting();
    return serving_.get();
  }
  spool::error cancel() {
    scope_.cancel();
    return serving_.get();
  }
  tcp::endpoint endpoint() const { return {asio::ip::address_v4::loopback(), server_.port()}; }

 private:
  spool::cancel_scope scope_ = spool::with_cancel(spool::context::background());
  http::server server_;
  spool::future<spool::error> serving_;
};

tcp::socket connected(const running_server& to) {
  tcp::socket socket(spool::io_context());
  socket.async_connect(to.endpoint(), spool::use_fiber);
  return socket;
}

class client {
 public:
  explicit client(const running_server& to) : stream_(connected(to)) {}

  client& send(std::string_view text) {
    boost::system::error_code ignored;  // a server that refuses may not read it all
    asio::write(stream_, asio::buffer(text), ignored);
    return *this;
  }
  client& end_sending() {
    stream_.socket().shutdown(tcp::socket::shutdown_send);
    return *this;
  }
  void close() { stream_.socket().close(); }
  void reset() {
    stream_.socket().set_option(asio::socket_base::linger(true, 0));
    close();
  }

  /// The next line, without its end; empty at the end of the stream.
  std::string line() {
    boost::system::error_code ec;
    const std::size_t n = asio::read_until(stream_, asio::dynamic_buffer(unread_), "\r\n", ec);
    if (ec) return {};
    std::string found = unread_.substr(0, n - 2);
    unread_.erase(0, n);
    return found;
  }
  /// Until the server closes.
  std::string rest() {
    boost::system::error_code ec;
    asio::read(stream_, asio::dynamic_buffer(unread_), ec);
    return std::exchange(unread_, {});
  }

 private:
  spool::tcp_stream stream_;
  std::string unread_;
};

std::string get(std::string_view target, std::string_view more = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(more) + "\r\n";
}

http::response echo_target(const spool::context&, const http::request& req) {
  return http::reply(req, status::ok, std::string(req.target()) + req.body());
}

TEST_P(HttpServer, AnswersPipelinedRequestsInOrder) {
  run([] {
    running_server server({}, echo_target);
    const auto numbered = [](int i) { return std::string("/").append(std::to_string(i)); };
    std::string requests;
    for (int i = 0; i < 100; ++i) {
      requests += get(numbered(i), i == 99 ? "Connection: close\r\n" : "");
    }
    const std::string all = client(server).send(requests).rest();
    std::size_t at = 0;
    for (int i = 0; i < 100; ++i) {
      at = all.find("\r\n\r\n" + numbered(i), at);
      ASSERT_NE(at, std::string::npos) << i << ": " << all;
    }
  });
}

TEST_P(HttpServer, KeepsAConnectionForManyRequests) {
  run([] {
    running_server server({}, echo_target);
    client c(server);
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(c.send(get("/")).line(), "HTTP/1.1 200 OK");
      while (!c.line().empty()) continue;
      EXPECT_EQ(server->connections(), 1u);
      c.send(get("/x", "X: y\r\n").substr(0, 10));  // in two pieces
      EXPECT_EQ(c.send(get("/x", "X: y\r\n").substr(10)).line(), "/HTTP/1.1 200 OK");
      while (!c.line().empty()) continue;
      c.send("POST /z HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n\r\n");
      EXPECT_EQ(c.line(), "/xHTTP/1.1 200 OK");
      while (!c.line().empty()) continue;
      EXPECT_EQ(c.line(), "/z");
    }
  });
}

TEST_P(HttpServer, RefusesWhatBreaksALimitAndServesTheOthers) {
  run([] {
    running_server server({.max_body_bytes = 1000}, echo_target);
    const auto status_line = [&](const std::string& text) { return client(server).send(text).line(); };
    EXPECT_EQ(status_line("hello\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    EXPECT_EQ(status_line("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    EXPECT_EQ(status_line(get("/", "X: " + std::string(10'000, 'x') + "\r\n")),
              "HTTP/1.1 431 Request Header Fields Too Large");
    const std::string large = "Content-Length: 5000000\r\n\r\n" + std::string(5'000'000, 'x');
    EXPECT_EQ(status_line("POST / HTTP/1.1\r\nHost: test\r\n" + large), "HTTP/1.1 413 Payload Too Large");
    EXPECT_EQ(status_line(get("/")), "HTTP/1.1 200 OK");
  });
}

TEST_P(HttpServer, DoesNotWaitForeverForTheRestOfARequest) {
  run([] {
    running_server server({.request_timeout = 20ms}, echo_target);
    client slow(server);
    EXPECT_EQ(slow.send("GET / HT").line(), "HTTP/1.1 408 Request Timeout");
    EXPECT_NE(slow.rest().find("Connection: close"), std::string::npos);
    client slow_body(server);
    EXPECT_EQ(slow_body.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nab").line(),
              "HTTP/1.1 408 Request Timeout");
  });
}

TEST_P(HttpServer, AnswersAClientThatHasEndedItsSending) {
  run([] {
    spool::channel<int> go_on(1);
    running_server server({}, [&](const spool::context& ctx, const http::request& req) {
      if (req.target() == "/wait") {
        EXPECT_TRUE(go_on.recv(ctx));
      }
      return http::reply(req, status::ok, "done");
    });
    EXPECT_EQ(client(server).send("GET / HTTP/1.1\r\n").end_sending().line(), "HTTP/1.1 400 Bad Request");
    EXPECT_EQ(client(server).send(get("/")).end_sending().line(), "HTTP/1.1 200 OK");
    client waiting(server);
    waiting.send(get("/wait")).end_sending();
    EXPECT_EQ(waiting.line(), "HTTP/1.1 100 Continue");  // the server asks whether it is still there
    EXPECT_EQ(waiting.line(), "");
    EXPECT_TRUE(go_on.send(1));
    EXPECT_EQ(waiting.line(), "HTTP/1.1 200 OK");
  });
}

TEST_P(HttpServer, AClientThatHangsUpCancelsItsRequest) {
  run([] {
    spool::channel<bool> begun(1);
    spool::channel<spool::error> ended(1);
    running_server server({}, [&](const spool::context& ctx, const http::request& req) {
      EXPECT_TRUE(begun.send(true));
      ctx.wait();
      EXPECT_TRUE(ended.send(ctx.err()));
      return http::reply(req, status::ok, "");
    });
    client closes(server);
    closes.send(get("/"));
    EXPECT_TRUE(begun.recv());
    closes.close();
    EXPECT_EQ(*ended.recv(), spool::errc::canceled);
    client resets(server);
    resets.send(get("/"));
    EXPECT_TRUE(begun.recv());
    resets.reset();
    EXPECT_EQ(*ended.recv(), spool::errc::canceled);
  });
}

TEST_P(HttpServer, StopEndsIdleConnectionsAndFinishesTheOthers) {
  run([] {
    spool::channel<bool> begun(1), go_on(1);
    running_server server({}, [&](const spool::context& ctx, const http::request& req) {
      if (req.target() == "/wait") {
        EXPECT_TRUE(begun.send(true));
        EXPECT_TRUE(go_on.recv(ctx));
      }
      return http::reply(req, status::ok, "");
    });
    client fresh(server), used(server), busy(server);
    EXPECT_EQ(used.send(get("/")).line(), "HTTP/1.1 200 OK");
    busy.send(get("/wait"));
    EXPECT_TRUE(begun.recv());
    auto stopped = spool::async([&] { return server.stop(); });
    EXPECT_EQ(fresh.rest(), "");
    (void)used.rest();
    EXPECT_FALSE(stopped.ready());
    EXPECT_TRUE(go_on.send(true));
    EXPECT_NE(busy.rest().find("Connection: close"), std::string::npos);
    EXPECT_FALSE(stopped.get());
    EXPECT_EQ(server->connections(), 0u);
    EXPECT_THROW(client{server}, boost::system::system_error);
  });
}

TEST_P(HttpServer, CancellationReachesTheRequests) {
  run([] {
    spool::channel<bool> begun(1);
    running_server server({}, [&](const spool::context& ctx, const http::request& req) {
      EXPECT_TRUE(begun.send(true));
      ctx.wait();
      return http::reply(req, status::ok, "");
    });
    client idle(server), busy(server);
    busy.send(get("/"));
    EXPECT_TRUE(begun.recv());
    EXPECT_EQ(server.cancel(), spool::errc::canceled);
    EXPECT_EQ(idle.rest(), "");
  });
}

TEST_P(HttpServer, ClosesIdleConnections) {
  run([] {
    running_server server({.idle_timeout = 20ms}, echo_target);
    client used(server), fresh(server);
    EXPECT_EQ(used.send(get("/")).line(), "HTTP/1.1 200 OK");
    (void)used.rest();
    EXPECT_EQ(fresh.rest(), "");
  });
}

TEST_P(HttpServer, ConnectionsBeyondTheLimitWait) {
  run([] {
    running_server server({.max_connections = 1}, echo_target);
    client first(server);
    EXPECT_EQ(first.send(get("/")).line(), "HTTP/1.1 200 OK");
    client second(server);
    second.send(get("/"));
    EXPECT_EQ(server->connections(), 1u);
    first.close();
    EXPECT_EQ(second.line(), "HTTP/1.1 200 OK");
  });
}

TEST_P(HttpServer, AnExceptionOfTheHandlerBecomesA500) {
  run([] {
    running_server server(
        {}, [](const spool::context&, const http::request&) -> http::response { throw std::runtime_error("planned"); });
    client c(server);
    EXPECT_EQ(c.send(get("/")).line(), "HTTP/1.1 500 Internal Server Error");
  });
}

/// All descriptors but those in use.
class descriptors_taken {
 public:
  descriptors_taken() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit fewer = before_;
    fewer.rlim_cur = 200;
    ::setrlimit(RLIMIT_NOFILE, &fewer);
    for (int fd; (fd = ::dup(0)) >= 0;) taken_.push_back(fd);
  }
  ~descriptors_taken() {
    for (const int fd : taken_) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST_P(HttpServer, SurvivesAnEndOfDescriptors) {
  run([] {
    running_server server({}, echo_target);
    // A client that is served before: UBSan reads objects of a type that it has not met through a pipe.
    EXPECT_TRUE(client(server).send(get("/", "Connection: close\r\n")).rest().starts_with("HTTP/1.1 200 OK"));
    tcp::socket socket(spool::io_context(), tcp::v4());
    {
      const descriptors_taken all;
      socket.async_connect(server.endpoint(), spool::use_fiber);
      spool::this_fiber::sleep_for(50ms);  // for the server to find out; whether it has does not matter below
    }
    asio::write(socket, asio::buffer(get("/", "Connection: close\r\n")), asio::transfer_all());
    spool::tcp_stream stream(std::move(socket));
    std::string answer;
    boost::system::error_code ec;
    asio::read(stream, asio::dynamic_buffer(answer), ec);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK")) << answer;
  });
}

}  // namespace
