// Scenario: a service that takes money. Every request is validated, goes through a bounded pool into a ledger on disk,
// and is answered at once when it cannot be taken; SIGTERM ends it without losing what it said yes to.

#include <spool/spool.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "command/exit_status.hpp"
#include "command/run_main.hpp"
#include "http/server.hpp"
#include "ledger.hpp"
#include "options.hpp"
#include "service.hpp"

namespace {

using namespace payments;
namespace exit_status = command::exit_status;

constexpr std::size_t most_connections = 20'000;
constexpr std::size_t other_descriptors = 128;  // for the database, the reactor and the terminal

/// As many connections as we may have descriptors for.
std::size_t connections_allowed() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return most_connections;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t usable = std::max<std::size_t>(limit.rlim_cur, 2 * other_descriptors) - other_descriptors;
  return std::min(most_connections, usable);
}

void report(const tally& counts, const spool::shutdown_summary& ending) {
  const auto number = [](const std::atomic<std::uint64_t>& n) { return static_cast<unsigned long long>(n.load()); };
  std::printf("payments: accepted %llu, repeated %llu, rejected %llu, refused %llu, canceled %llu, failed %llu\n",
              number(counts.accepted), number(counts.repeated), number(counts.rejected), number(counts.refused),
              number(counts.canceled), number(counts.failed));
  std::fflush(stdout);
  if (!ending.ok()) std::fprintf(stderr, "%s\n", to_string(ending).c_str());
}

int serve(const options& chosen) {
  auto books = open_ledger(chosen.database, chosen.workers);
  if (!books) {
    std::fprintf(stderr, "payments: %s: %s\n", chosen.database.c_str(), books.error().message().c_str());
    return exit_status::bad_usage;
  }
  spool::worker_pool pool({.name = "ledger", .workers = chosen.workers, .queue_capacity = chosen.queue});
  service desk(**books, pool);
  http::server server(
      {.port = chosen.port, .max_connections = connections_allowed(), .request_timeout = chosen.request_timeout},
      [&](const spool::context& ctx, const http::request& req) { return desk.answer(ctx, req); });

  spool::shutdown_sequence shutdown({.drain_for = chosen.drain_for});
  shutdown.on_stop("listener", [&] { server.stop_accepting(); });
  shutdown.on_drain("connections", [&](const spool::context& ctx) { return server.drain(ctx); });
  shutdown.add("ledger", pool);
  std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(server.port()));
  std::fflush(stdout);

  auto serving = spool::async([&] {
    const spool::error e = server.serve(shutdown.ctx());
    shutdown.request(e);  // if it ended by itself
    return e;
  });
  const spool::shutdown_summary ending = shutdown.wait();
  spool::error failed;
  if (ending.ended()) failed = serving.get();  // and with it every answer that was on its way
  report(desk.counts(), ending);
  if (!ending.ended()) std::_Exit(exit_status::some_failed);
  return ending.ok() && !failed ? exit_status::success : exit_status::some_failed;
}

int run(const options& chosen) {
  spool::runtime runtime({.name = "payments"});
  return runtime.run([&] { return serve(chosen); });
}

}  // namespace

int main(int argc, char** argv) {
  return command::run_main("payments", argc, argv, payments::parse, payments::usage, run);
}
