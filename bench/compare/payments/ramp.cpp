// Open-loop load on the payments example, in steps from 1,000 requests a minute to more than the machine can do:
// ramp HOST:PORT SECONDS_PER_STEP CONNECTIONS REQUESTS_PER_MINUTE...
//
// Every request has a moment at which it is due, whatever became of the ones before, and its latency counts from that moment.
// A connection that still waits for an answer sends what has become due afterwards. Each step ends when all of it is answered.
#include <spool/net/io_context.hpp>
#include <spool/net/tcp_stream.hpp>
#include <spool/net/use_fiber.hpp>
#include <spool/spool.hpp>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct tally {
  std::map<unsigned, std::vector<float>> microseconds;  // by status
  std::size_t lost = 0;                                 // the connection broke

  void add(const tally& other) {
    for (const auto& [status, values] : other.microseconds) {
      auto& mine = microseconds[status];
      mine.insert(mine.end(), values.begin(), values.end());
    }
    lost += other.lost;
  }
};

std::string payment_request(const std::string& id) {
  const std::string body = R"({"id": ")" + id + R"(", "amount": 1250, "currency": "EUR"})";
  return "POST /payments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: " + id +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// One connection's share of a step: requests first, first + stride, … of `total`.
tally drive(const asio::ip::tcp::endpoint& where, const std::string& step, clock_type::time_point begin,
            std::chrono::nanoseconds apart, std::size_t first, std::size_t stride, std::size_t total) {
  tally seen;
  asio::ip::tcp::socket socket(spool::io_context());
  socket.async_connect(where, spool::use_fiber);
  spool::tcp_stream stream(std::move(socket));
  boost::beast::flat_buffer buffer;
  boost::system::error_code ec;
  for (std::size_t i = first; i < total; i += stride) {
    const auto due = begin + apart * static_cast<std::int64_t>(i);
    spool::this_fiber::sleep_until(due);
    asio::write(stream, asio::buffer(payment_request(step + "-" + std::to_string(i))), ec);
    http::response<http::string_body> answer;
    if (!ec) http::read(stream, buffer, answer, ec);
    if (ec) {
      seen.lost += (total - i + stride - 1) / stride;
      break;
    }
    const std::chrono::duration<float, std::micro> latency = clock_type::now() - due;
    seen.microseconds[answer.result_int()].push_back(latency.count());
  }
  return seen;
}

float percentile(std::vector<float>& values, double p) {
  const auto at = static_cast<std::size_t>(p * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

void run_step(const asio::ip::tcp::endpoint& where, double per_minute, double seconds, std::size_t connections) {
  const auto total = static_cast<std::size_t>(per_minute / 60 * seconds);
  const std::chrono::nanoseconds apart(static_cast<std::int64_t>(60e9 / per_minute));
  const std::string step = std::to_string(clock_type::now().time_since_epoch().count());
  const auto begin = clock_type::now() + 50ms;
  std::vector<spool::future<tally>> shares;
  for (std::size_t c = 0; c < connections; ++c) {
    shares.push_back(spool::async([&, c] { return drive(where, step, begin, apart, c, connections, total); }));
  }
  tally all;
  for (auto& share : shares) all.add(share.get());
  std::size_t answered = 0, accepted = all.microseconds[201].size(), rejected = all.microseconds[429].size();
  for (const auto& [status, values] : all.microseconds) answered += values.size();
  const auto p99 = [&](unsigned status) {
    auto& values = all.microseconds[status];
    return values.empty() ? 0.0 : static_cast<double>(percentile(values, 0.99)) / 1000;
  };
  const std::chrono::duration<double> took = clock_type::now() - begin;
  std::printf("%12.0f %9zu %9zu %9zu %7zu %7zu %11.0f %11.2f %11.2f\n", per_minute, total, accepted, rejected,
              answered - accepted - rejected, all.lost, static_cast<double>(answered) / took.count(), p99(201), p99(429));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string address = argc > 4 ? argv[1] : "";
  const auto colon = address.find(':');
  if (colon == std::string::npos) {
    std::fprintf(stderr, "usage: %s HOST:PORT SECONDS_PER_STEP CONNECTIONS REQUESTS_PER_MINUTE...\n", argv[0]);
    return 2;
  }
  const asio::ip::tcp::endpoint where(asio::ip::make_address(address.substr(0, colon)),
                                      static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
  std::printf("%12s %9s %9s %9s %7s %7s %11s %11s %11s\n", "per minute", "offered", "201", "429", "other", "lost",
              "answered/s", "201 p99 ms", "429 p99 ms");
  spool::run([&] {
    for (int i = 4; i < argc; ++i) {
      run_step(where, std::atof(argv[i]), std::atof(argv[2]), static_cast<std::size_t>(std::atoi(argv[3])));
    }
  });
}
