// examples/http: the client, against servers that behave as servers do, and worse.

#include "http/client.hpp"

#include <spool/net/io_context.hpp>
#include <spool/net/tcp_stream.hpp>
#include <spool/net/use_fiber.hpp>
#include <spool/spool.hpp>

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "../support/runtimes.hpp"

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// Runs a function with every connection that is made to it, on a fiber of its own; ended by the server's destructor.
class scripted_server {
 public:
  using script = std::function<void(spool::tcp_stream&, int nth)>;

  explicit scripted_server(script act)
      : act_(std::move(act)), acceptor_(spool::io_context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    crew_.go([this] { accept(); });
  }

  http::url url(std::string target = "/") const {
    return {"127.0.0.1", std::to_string(acceptor_.local_endpoint().port()), std::move(target)};
  }
  int accepted() const { return accepted_; }

 private:
  void accept() {
    for (;;) {
      boost::system::error_code ec;
      tcp::socket socket = acceptor_.async_accept(spool::use_fiber(crew_.context())[ec]);
      if (ec) return;
      crew_.go([this, socket = std::move(socket), nth = accepted_++]() mutable {
        spool::tcp_stream stream(std::move(socket));
        stream.set_context(crew_.context());
        act_(stream, nth);
      });
    }
  }

  script act_;
  tcp::acceptor acceptor_;
  std::atomic<int> accepted_ = 0;
  spool::errgroup crew_;  // last: it ends first
};

// The head of a request without a body; empty: the connection has ended.
std::string hear(spool::tcp_stream& stream) {
  std::string head;
  boost::system::error_code ec;
  asio::read_until(stream, asio::dynamic_buffer(head), "\r\n\r\n", ec);
  return ec ? std::string() : head;
}

void say(spool::tcp_stream& stream, std::string_view text) {
  boost::system::error_code ec;
  asio::write(stream, asio::buffer(text), ec);
}

std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

void answer_all(spool::tcp_stream& stream, int nth) {
  while (!hear(stream).empty()) say(stream, ok(std::to_string(nth)));
}

bool ended(spool::tcp_stream& stream) { return hear(stream).empty(); }

class HttpClient : public spool_test::WithWorkers {
 protected:
  const spool::context& background = ever_;

 private:
  const spool::context ever_ = spool::context::background();
};
SPOOL_INSTANTIATE_WORKERS(HttpClient);

TEST_P(HttpClient, UsesAConnectionAgain) {
  run([&] {
    scripted_server server(answer_all);
    http::client client;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(client.get(background, server.url()).value().body(), "0");
    EXPECT_EQ(server.accepted(), 1);
  });
}

TEST_P(HttpClient, SendsWhatItIsAskedForAndNamesTheHost) {
  run([&] {
    spool::channel<std::string> heard(1);
    scripted_server server([&](spool::tcp_stream& stream, int) {
      static_cast<void>(heard.send(hear(stream)));
      say(stream, ok(""));
    });
    http::client client;
    static_cast<void>(client.get(background, server.url("/a?b=c")).value());
    const std::string head = heard.recv().value();
    EXPECT_TRUE(head.starts_with("GET /a?b=c HTTP/1.1\r\n")) << head;
    EXPECT_NE(head.find("\r\nHost: " + authority(server.url()) + "\r\n"), head.npos) << head;
  });
}

TEST_P(HttpClient, ReplacesAConnectionThatWasClosedWhileIdle) {
  run([&] {
    spool::latch closed(1);
    scripted_server server([&](spool::tcp_stream& stream, int nth) {
      static_cast<void>(hear(stream));
      say(stream, ok(std::to_string(nth)));
      if (nth == 0) {
        stream.socket().close();
        closed.count_down();
      }
    });
    http::client client;
    EXPECT_EQ(client.get(background, server.url()).value().body(), "0");
    closed.wait();
    EXPECT_EQ(client.get(background, server.url()).value().body(), "1");
  });
}

TEST_P(HttpClient, RepeatsAGetButNoPostWhenAUsedConnectionEndsUnanswered) {
  run([&] {
    // Every connection answers once, and closes upon the second request.
    scripted_server server([](spool::tcp_stream& stream, int nth) {
      static_cast<void>(hear(stream));
      say(stream, ok(std::to_string(nth)));
      static_cast<void>(hear(stream));
    });
    http::client client;
    EXPECT_EQ(client.get(background, server.url()).value().body(), "0");
    EXPECT_EQ(client.get(background, server.url()).value().body(), "1");
    const auto refused = client.send(background, server.url(), {boost::beast::http::verb::post, "/", 11});
    ASSERT_TRUE(refused.has_error());
    EXPECT_TRUE(refused.error().message().starts_with(authority(server.url()))) << refused.error().message();
    EXPECT_EQ(server.accepted(), 2);
  });
}

TEST_P(HttpClient, DoesNotRepeatOnANewConnection) {
  run([&] {
    scripted_server server([](spool::tcp_stream& stream, int) { static_cast<void>(hear(stream)); });
    http::client client;
    EXPECT_TRUE(client.get(background, server.url()).has_error());
    EXPECT_EQ(server.accepted(), 1);
  });
}

TEST_P(HttpClient, TakesNoAnswerThatWasNotAskedFor) {
  run([&] {
    scripted_server server([](spool::tcp_stream& stream, int nth) {
      static_cast<void>(hear(stream));
      const std::string unasked = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      say(stream, nth == 0 ? ok("asked") + unasked : ok("again"));
    });
    http::client client;
    EXPECT_EQ(client.get(background, server.url()).value().body(), "asked");
    EXPECT_EQ(client.get(background, server.url()).value().body(), "again");
  });
}

TEST_P(HttpClient, SkipsInterimAnswers) {
  run([&] {
    scripted_server server([](spool::tcp_stream& stream, int) {
      static_cast<void>(hear(stream));
      say(stream, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok("final"));
    });
    http::client client;
    EXPECT_EQ(client.get(background, server.url()).value().body(), "final");
  });
}

TEST_P(HttpClient, ReadsABodyThatEndsWithTheConnection) {
  run([&] {
    scripted_server server([](spool::tcp_stream& stream, int) {
      static_cast<void>(hear(stream));
      say(stream, "HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x'));
    });
    http::client client;
    for (int i = 1; i <= 2; ++i) {
      EXPECT_EQ(client.get(background, server.url()).value().body().size(), 100'000u);
      EXPECT_EQ(server.accepted(), i);
    }
  });
}

TEST_P(HttpClient, ReportsAnswersThatAreNone) {
  run([&] {
    const std::string answers[] = {"hello\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
                                   ok(std::string(2000, 'x')),
                                   "HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"};
    scripted_server server([&](spool::tcp_stream& stream, int nth) {
      static_cast<void>(hear(stream));
      say(stream, answers[nth]);
    });
    http::client client({.max_body_bytes = 1000});
    for (std::size_t i = 0; i < std::size(answers); ++i) {
      const auto answer = client.get(background, server.url());
      ASSERT_TRUE(answer.has_error()) << i;
      EXPECT_TRUE(answer.error().message().starts_with(authority(server.url()))) << answer.error().message();
    }
  });
}

TEST_P(HttpClient, OpensNoMoreConnectionsToAHostThanItMay) {
  run([&] {
    scripted_server server(answer_all);
    http::client client({.connections_per_host = 3});
    spool::errgroup crew;
    for (int i = 0; i < 50; ++i) {
      crew.go(
          [&] { return client.get(crew.context(), server.url()).has_value() ? spool::error() : spool::errc::empty; });
    }
    EXPECT_FALSE(crew.wait());
    EXPECT_LE(server.accepted(), 3);
  });
}

TEST_P(HttpClient, ClosesTheConnectionThatWasIdleForLongest) {
  run([&] {
    spool::latch first_closed(1);
    scripted_server first([&](spool::tcp_stream& stream, int) {
      static_cast<void>(hear(stream));
      say(stream, ok("first"));
      if (ended(stream)) first_closed.count_down();
    });
    scripted_server second(answer_all);
    http::client client({.idle_connections = 1});
    EXPECT_EQ(client.get(background, first.url()).value().body(), "first");
    EXPECT_EQ(client.get(background, second.url()).value().body(), "0");
    first_closed.wait();
    EXPECT_EQ(client.get(background, second.url()).value().body(), "0");
    EXPECT_EQ(second.accepted(), 1);
  });
}

TEST_P(HttpClient, GivesUpAMuteServerWhenTheContextSaysSo) {
  run([&] {
    scripted_server mute(
        [](spool::tcp_stream& stream, int) { static_cast<void>(hear(stream)), static_cast<void>(hear(stream)); });
    http::client client({.connections_per_host = 1});
    const auto hurried = spool::with_timeout(background, 5ms);
    const auto late = client.get(hurried.ctx(), mute.url());
    ASSERT_TRUE(late.has_error());
    EXPECT_EQ(late.error(), spool::errc::deadline_exceeded);
    EXPECT_EQ(late.error().message(), authority(mute.url()) + ": timed out");
    const auto done_before = client.get(hurried.ctx(), mute.url());
    EXPECT_EQ(done_before.error(), spool::errc::deadline_exceeded);
    EXPECT_LE(mute.accepted(), 1);  // none, if the time was over before the connection was there
  });
}

TEST_P(HttpClient, CancelsWhoReadsAndWhoWaitsForAConnection) {
  run([&] {
    spool::latch asked(1);
    scripted_server mute([&](spool::tcp_stream& stream, int) {
      static_cast<void>(hear(stream));
      asked.count_down();
      static_cast<void>(hear(stream));
    });
    http::client client({.connections_per_host = 1});
    const auto scope = spool::with_cancel(background);
    auto reads = spool::async([&] { return client.get(scope.ctx(), mute.url()); });
    asked.wait();
    auto waits = spool::async([&] { return client.get(scope.ctx(), mute.url()); });
    scope.cancel();
    EXPECT_EQ(reads.get().error(), spool::errc::canceled);
    EXPECT_EQ(waits.get().error(), spool::errc::canceled);
    EXPECT_EQ(mute.accepted(), 1);
  });
}

TEST_P(HttpClient, SaysWhoCannotBeReached) {
  run([&] {
    http::url nobody;
    { nobody = scripted_server(answer_all).url(); }
    http::client client;
    const auto refused = client.get(background, nobody);
    ASSERT_TRUE(refused.has_error());
    EXPECT_EQ(refused.error(), std::errc::connection_refused);
    EXPECT_TRUE(refused.error().message().starts_with(authority(nobody) + ": cannot connect"))
        << refused.error().message();
    const auto unknown = client.get(background, {"no.such.host.invalid", "80", "/"});
    ASSERT_TRUE(unknown.has_error());
    EXPECT_TRUE(unknown.error().message().starts_with("no.such.host.invalid:80: no address"))
        << unknown.error().message();
  });
}

TEST(HttpClientOptions, NoConnectionAtAllIsRefused) {
  EXPECT_THROW(http::client({.connections_per_host = 0}), std::invalid_argument);
}

std::string parts(std::string_view text) {
  const auto parsed = http::parse_url(text);
  return parsed ? parsed->host + ' ' + parsed->port + ' ' + parsed->target : "refused";
}

TEST(ParseUrl, TakesUrlsApart) {
  EXPECT_EQ(parts("http://example.org"), "example.org 80 /");
  EXPECT_EQ(parts("HTTP://Example.ORG:8080/A/b?C#d"), "example.org 8080 /A/b?C");
  EXPECT_EQ(parts("http://a?q=1/2"), "a 80 /?q=1/2");
  EXPECT_EQ(parts("http://a#f"), "a 80 /");
  EXPECT_EQ(parts("http://a:/x"), "a 80 /x");
  EXPECT_EQ(parts("http://a:0080/"), "a 80 /");
  EXPECT_EQ(parts("http://[::1]:81/x"), "::1 81 /x");
  EXPECT_EQ(parts("http://[FE80::1]"), "fe80::1 80 /");
  EXPECT_EQ(parts("http://127.0.0.1:1/@:x"), "127.0.0.1 1 /@:x");
}

TEST(ParseUrl, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "http",
                           "http:",
                           "http:/a",
                           "http://",
                           "http:///x",
                           "http://:80/",
                           "ftp://a/",
                           "https://a/",
                           "//a/",
                           "a.html",
                           "http://a b/",
                           "http://a/ b",
                           "http://a/\r\nX: y",
                           "http://a/\xc3\xa4",
                           "http://u@a/",
                           "http://u:p@a/",
                           "http://a:x/",
                           "http://a:65536/",
                           "http://a:0/",
                           "http://a:-1/",
                           "http://a:80:80/",
                           "http://[::1/",
                           "http://[::1]x/",
                           "http://[]/",
                           "http://[x]/",
                           "http://a\\b/",
                           "http://%61/"}) {
    EXPECT_EQ(parts(text), "refused") << text;
    EXPECT_FALSE(http::parse_url(text).error().message().empty()) << text;
  }
}

TEST(ParseUrl, UrlsAreTextAgain) {
  for (const char* text : {"http://a/", "http://a:81/x?y", "http://[::1]/", "http://[::1]:81/"}) {
    EXPECT_EQ(to_string(http::parse_url(text).value()), text);
  }
  EXPECT_EQ(authority(http::parse_url("http://[::1]/").value()), "[::1]:80");
}

}  // namespace
