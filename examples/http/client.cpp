#include "client.hpp"

#include "connect.hpp"
#include "exchange.hpp"
#include "host_places.hpp"
#include "idle_connections.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace http {
namespace {

namespace beast_http = boost::beast::http;
using beast_http::field;
using beast_http::verb;

bool is_idempotent(verb method) noexcept {
  switch (method) {
    case verb::get:
    case verb::head:
    case verb::put:
    case verb::delete_:
    case verb::options:
    case verb::trace: return true;
    default: return false;
  }
}

void complete(client::request_type& request, const url& where) {
  request.target(where.target);
  request.set(field::host, host_header(where));
  if (request.find(field::user_agent) == request.end()) request.set(field::user_agent, "spool-example");
  request.prepare_payload();
}

client_options checked(client_options options) {
  if (options.connections_per_host == 0)
    throw std::invalid_argument("http::client: connections_per_host must be at least 1");
  return options;
}

}  // namespace

struct client::state {
  explicit state(client_options chosen)
      : options(chosen), places(chosen.connections_per_host), idle(chosen.idle_connections) {}

  spool::result<response_type> send(const spool::context& ctx, const url& where, const request_type& request);
  std::unique_ptr<client_connection> take_idle(const std::string& host);

  const client_options options;
  host_places places;
  idle_connections idle;
};

std::unique_ptr<client_connection> client::state::take_idle(const std::string& host) {
  std::unique_ptr<client_connection> link;
  do {
    link = idle.take(host);
  } while (link != nullptr && !is_quiet(*link));
  return link;
}

spool::result<client::response_type> client::state::send(const spool::context& ctx, const url& where,
                                                         const request_type& request) {
  const std::string host = authority(where);
  host_places::place place(places, host);
  if (place.take(ctx)) return failure(ctx, where, "no free connection", {});
  std::unique_ptr<client_connection> link = take_idle(host);
  for (;;) {
    const bool used_before = link != nullptr;
    if (!used_before) {
      auto made = connect(ctx, where);
      if (!made) return made.error();
      link = std::move(*made);
    }
    exchange_outcome outcome = exchange(ctx, *link, where, request, options.max_body_bytes);
    if (used_before && outcome.nothing_came && is_idempotent(request.method())) {
      link.reset();
      continue;
    }
    if (outcome.reusable) idle.put(host, std::move(link));
    return std::move(outcome.answer);
  }
}

client::client(client_options options) : state_(std::make_shared<state>(checked(options))) {}

client::~client() = default;

spool::result<client::response_type> client::get(const spool::context& ctx, const url& where) {
  return send(ctx, where, request_type(verb::get, where.target, 11));
}

spool::result<client::response_type> client::send(const spool::context& ctx, const url& where, request_type request) {
  complete(request, where);
  const std::shared_ptr<state> kept = state_;
  return kept->send(ctx, where, request);
}

}  // namespace http
