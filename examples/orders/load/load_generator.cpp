#include "load/load_generator.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <cstdio>
#include <memory>
#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "load/load_connection.hpp"

namespace orders {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// Not asio::async_connect: that reports a want of file descriptors as a cancellation.
tcp::socket connect(const spool::context& ctx, const tcp::resolver::results_type& where,
                    boost::system::error_code& ec) {
  tcp::socket socket(spool::io_context());
  ec = asio::error::host_not_found;
  for (const auto& one : where) {
    socket = tcp::socket(spool::io_context());
    socket.async_connect(one.endpoint(), spool::use_fiber(ctx)[ec]);
    if (!ec) break;
  }
  return socket;
}

using connection_list = std::vector<std::unique_ptr<load_connection>>;

connection_list connect_all(const spool::context& ctx, const tcp::resolver::results_type& where,
                            const load_schedule& schedule, std::size_t wanted) {
  connection_list made;
  while (made.size() < wanted) {
    boost::system::error_code ec;
    tcp::socket socket = connect(ctx, where, ec);
    if (ec) {
      throw std::runtime_error("connect: " + ec.message() + ", with " + std::to_string(made.size()) + " of " +
                               std::to_string(wanted) + " connections open");
    }
    made.push_back(std::make_unique<load_connection>(std::move(socket), schedule, made.size()));
  }
  return made;
}

}  // namespace

load_report offer_load(const spool::context& ctx, const std::string& host, const std::string& port,
                       const load_options& chosen) {
  const auto where = tcp::resolver(spool::io_context()).async_resolve(host, port, spool::use_fiber(ctx));
  load_schedule schedule{{},
                         chosen.per_second,
                         chosen.per_second * chosen.seconds,
                         chosen.connections,
                         static_cast<std::uint32_t>(chosen.symbols)};
  const auto connections = connect_all(ctx, where, schedule, chosen.connections);
  schedule.start = load_clock::now() + 10ms;
  spool::wait_group running;
  for (const auto& one : connections) running.go([&] { one->run(ctx); });
  running.wait();

  load_report report;
  auto last = schedule.start + 1ns;
  for (const auto& one : connections) {
    report.totals.add(one->totals());
    report.latencies.add(one->latencies());
    last = std::max(last, one->last_answer());
  }
  const std::chrono::duration<double> took = last - schedule.start;
  report.held_per_second = static_cast<double>(report.latencies.count()) / took.count();
  return report;
}

std::string to_table(const load_options& chosen, const load_report& report) {
  const auto micros = [&](double part) { return static_cast<double>(report.latencies.percentile(part)) / 1000; };
  char text[512];
  std::snprintf(text, sizeof text,
                "%10s %10s %10s %10s %9s %9s %9s %9s %9s\n%10zu %10.0f %10llu %10llu %9.1f %9.1f %9.1f %9.1f %9.1f\n",
                "offered/s", "held/s", "orders", "fills", "p50_us", "p90_us", "p99_us", "p99.9_us", "max_us",
                chosen.per_second, report.held_per_second, static_cast<unsigned long long>(report.totals.orders),
                static_cast<unsigned long long>(report.totals.fills), micros(0.5), micros(0.9), micros(0.99),
                micros(0.999), static_cast<double>(report.latencies.most()) / 1000);
  return text;
}

}  // namespace orders
