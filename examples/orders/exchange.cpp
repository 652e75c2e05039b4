#include "exchange.hpp"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <optional>
#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>
#include <utility>

namespace orders {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// Answers that are queued are shown to the writers together, up to this many.
constexpr std::size_t most_in_a_commit = 256;

std::string name_of(const tcp::socket& socket) {
  boost::system::error_code ec;
  const tcp::endpoint peer = socket.remote_endpoint(ec);
  return ec ? "a client" : peer.address().to_string() + ":" + std::to_string(peer.port());
}

void complain(const std::string& peer, session::ending how) {
  if (how != session::ending::malformed && how != session::ending::slow) return;
  const char* const why = how == session::ending::slow ? "does not read its answers" : "malformed message";
  std::fprintf(stderr, "orders: %s: %s: disconnected\n", peer.c_str(), why);
}

// Lets the client's writer have what has gathered.
void show(client& to) {
  if (!to.out.commit()) to.disconnect();
}

}  // namespace

exchange::exchange(exchange_options chosen)
    : options_(chosen),
      acceptor_(spool::io_context(), tcp::endpoint(asio::ip::address_v4::loopback(), chosen.port)),
      requests_(chosen.queued_requests),
      answers_(chosen.queued_answers),
      room_(static_cast<std::ptrdiff_t>(chosen.most_connections)),
      engine_(chosen.symbols) {}

exchange_report exchange::run(const spool::context& ctx) {
  spool::wait_group stages;
  stages.go([this] { match(); });
  stages.go([this] { publish(); });
  accept(ctx);
  drain();
  requests_.close();  // each stage ends when it has emptied its channel, and closes the next
  stages.wait();
  report_.engine = engine_.totals();
  return report_;
}

void exchange::accept(const spool::context& ctx) {
  while (!room_.acquire(ctx)) {
    boost::system::error_code ec;
    tcp::socket socket = acceptor_.async_accept(spool::use_fiber(ctx)[ec]);
    if (ec) {
      room_.release();
      if (ctx.done()) break;
      std::fprintf(stderr, "orders: accept: %s\n", ec.message().c_str());
      (void)spool::this_fiber::sleep_for(ctx, 100ms);  // out of file descriptors: some connection will end
      continue;
    }
    ++report_.connections;
    sessions_.go([this, socket = std::move(socket)]() mutable { serve(std::move(socket)); });
  }
  acceptor_.close();
}

void exchange::serve(tcp::socket socket) {
  {
    const std::string peer = name_of(socket);
    session served(std::move(socket), peer, options_.most_outbox_bytes, connections_.ctx(), requests_);
    {
      const std::lock_guard lock(mutex_);
      live_.push_back(&served);
      if (stopping_) served.stop_taking();
    }
    const session::ending how = served.run();
    complain(peer, how);
    const std::lock_guard lock(mutex_);
    report_.malformed += how == session::ending::malformed ? 1 : 0;
    report_.slow += how == session::ending::slow ? 1 : 0;
    std::erase(live_, &served);
  }
  room_.release();
}

void exchange::match() {
  std::vector<client_answer> answers;
  for (const client_request& next : requests_) {
    answers.clear();
    engine_.handle(next, answers);
    for (const client_answer& made : answers) (void)answers_.send(made);  // closed below, nowhere else
  }
  answers_.close();
}

void exchange::publish() {
  std::vector<client*> touched;
  while (std::optional<client_answer> next = answers_.recv()) {
    spool::channel_status more = spool::channel_status::ok;
    for (std::size_t n = 0; more == spool::channel_status::ok; ++n) {
      if (next->last) {
        show(*next->to);
        std::erase(touched, next->to);
        next->to->out.finish();
      } else if (next->to->out.add(next->body)) {
        touched.push_back(next->to);
      }
      if (n == most_in_a_commit) break;
      more = answers_.try_recv(*next);
    }
    for (client* const one : touched) show(*one);
    touched.clear();
  }
}

void exchange::drain() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (session* const one : live_) one->stop_taking();
  }
  if (sessions_.wait_for(options_.drain_for)) return;
  report_.drained = false;
  connections_.cancel();
  sessions_.wait();
}

}  // namespace orders
