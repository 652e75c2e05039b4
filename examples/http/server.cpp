#include "http/server.hpp"

#include "http/server_connection.hpp"
#include "http/server_core.hpp"

#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <utility>

namespace http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

spool::runtime& own_runtime() {
  if (auto* rt = spool::runtime::current()) return *rt;
  throw std::logic_error("http::server: make it on a fiber, inside spool::run");
}

/// Out of something that others will give back: descriptors, buffers, memory.
bool short_of_resources(const boost::system::error_code& ec) {
  const int e = ec.value();
  return ec.category() == boost::system::system_category() &&
         (e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM);
}

/// Takes one connection after the other; the error that ended it.
boost::system::error_code accept_until(server_core& core, const std::shared_ptr<server_core>& shared,
                                       const spool::context& ctx) {
  const spool::context& listening = core.listening.ctx();
  while (!core.places.acquire(listening)) {
    boost::system::error_code ec;
    asio::ip::tcp::socket peer = core.acceptor.async_accept(spool::use_fiber(listening)[ec]);
    if (!ec) {
      server_connection::begin(shared, std::move(peer), ctx);
      continue;
    }
    core.places.release();
    if (listening.done()) break;
    if (!short_of_resources(ec)) return ec;
    // The client stays in the kernel's queue. Trying again at once would only burn what others need to finish.
    if (spool::this_fiber::sleep_for(listening, 20ms)) break;
  }
  return {};
}

}  // namespace

server_core::server_core(server_options chosen, handler h)
    : options(std::move(chosen)),
      handle(std::move(h)),
      runtime(own_runtime()),
      acceptor(spool::io_context()),
      places(static_cast<std::ptrdiff_t>(options.max_connections)) {
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(options.address), options.port);
  acceptor.open(endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.bind(endpoint);
  acceptor.listen(4096);
  port = acceptor.local_endpoint().port();
}

void server_core::add(server_connection& c) {
  const std::lock_guard lock(mu_);
  connections_.insert(&c);
  count.fetch_add(1, std::memory_order_relaxed);
  open.add();
}

void server_core::remove(server_connection& c) noexcept {
  {
    const std::lock_guard lock(mu_);
    connections_.erase(&c);
  }
  count.fetch_sub(1, std::memory_order_relaxed);
  places.release();
  open.done();
}

void server_core::end_idle(steady_clock::time_point then) {
  const std::lock_guard lock(mu_);  // none of them is destroyed meanwhile
  for (server_connection* c : connections_) c->end_if_idle(then);
}

server::server(server_options options, handler handle)
    : core_(std::make_shared<server_core>(std::move(options), std::move(handle))) {}

server::~server() {
  stop_accepting();
  core_->open.wait();
}

std::uint16_t server::port() const noexcept { return core_->port; }

spool::error server::serve(const spool::context& ctx) {
  spool::wait_group helpers;
  const spool::cancel_scope serving = spool::with_cancel(ctx);
  const auto prevent_stop = spool::after_func(ctx, [core = core_] { core->listening.cancel(); });
  helpers.go([&] {
    const auto limit = core_->options.idle_timeout;
    const auto interval = std::clamp(limit / 4, 10ms, 1000ms);
    while (!spool::this_fiber::sleep_for(serving.ctx(), interval)) core_->end_idle(steady_clock::now() - limit);
  });
  const boost::system::error_code failure = accept_until(*core_, core_, ctx);
  const spool::error ended = failure           ? spool::error(std::error_code(failure))
                             : core_->stopping ? spool::error()
                                               : ctx.err();
  prevent_stop();
  boost::system::error_code ignored;
  core_->acceptor.close(ignored);
  stop_accepting();
  core_->open.wait();
  serving.cancel();
  helpers.wait();
  return ended;
}

void server::stop_accepting() {
  // Pairs with server_connection::rest(): it says that it rests, then looks at `stopping`; here the other way round.
  core_->stopping.store(true);
  core_->listening.cancel();
  core_->end_idle(steady_clock::time_point::max());
}

spool::error server::drain(const spool::context& ctx) { return core_->open.wait(ctx); }

std::size_t server::connections() const noexcept { return core_->count.load(std::memory_order_relaxed); }

}  // namespace http
