#include "connect.hpp"

#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <charconv>
#include <cstdint>
#include <vector>

namespace http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using endpoints = std::vector<tcp::endpoint>;

struct lookup {
  endpoints found;
  error_code problem;
};

// Asio's own resolver has one thread, where a name server that does not answer would hold up all other hosts.
lookup look_up(const url& where) {
  return spool::blocking([&] {
    asio::io_context unused;
    lookup result;
    for (const auto& entry : tcp::resolver(unused).resolve(where.host, where.port, result.problem)) {
      result.found.push_back(entry.endpoint());
    }
    return result;
  });
}

spool::result<endpoints> resolve(const spool::context& ctx, const url& where) {
  error_code not_numeric;
  const auto address = asio::ip::make_address(where.host, not_numeric);
  if (!not_numeric) {
    std::uint16_t port = 0;
    std::from_chars(where.port.data(), where.port.data() + where.port.size(), port);
    return endpoints{{address, port}};
  }
  // getaddrinfo cannot be interrupted: on a fiber of its own it may end after nobody waits for it any more.
  auto looked_up = spool::async([where] { return look_up(where); });
  if (looked_up.wait(ctx)) return failure(ctx, where, "no address", {});
  lookup result = looked_up.get();
  if (result.problem) return failure(ctx, where, "no address", result.problem);
  return std::move(result.found);
}

}  // namespace

spool::error failure(const spool::context& ctx, const url& where, std::string_view what, error_code code) {
  std::string message = authority(where) + ": ";
  if (const spool::error ended = ctx.err()) {
    message += ended == spool::errc::deadline_exceeded ? "timed out" : "canceled";
    return {ended.code(), std::move(message)};
  }
  message.append(what).append(": ").append(code.message());
  return {code, std::move(message)};
}

spool::result<std::unique_ptr<client_connection>> connect(const spool::context& ctx, const url& where) {
  const spool::result<endpoints> candidates = resolve(ctx, where);
  if (!candidates) return candidates.error();
  tcp::socket socket(spool::io_context());
  error_code problem;
  asio::async_connect(socket, *candidates, spool::use_fiber(ctx)[problem]);
  if (problem) return failure(ctx, where, "cannot connect", problem);
  return std::make_unique<client_connection>(std::move(socket));
}

}  // namespace http
