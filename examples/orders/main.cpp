// Scenario: orders come in over TCP, meet in an order book, and what becomes of them goes back to who sent them, in
// microseconds: three stages over channels. With its own load generator, which offers orders at a fixed rate.

#include <csignal>
#include <cstdio>
#include <spool/spool.hpp>
#include <string>

#include "command/exit_status.hpp"
#include "command/run_main.hpp"
#include "exchange.hpp"
#include "load/load_generator.hpp"
#include "options.hpp"

namespace {

using namespace orders;
namespace exit_status = command::exit_status;

int complain(const std::string& what) {
  std::fprintf(stderr, "orders: %s\n", what.c_str());
  return exit_status::some_failed;
}

int judge(const exchange_report& report) {
  const engine_totals& done = report.engine;
  if (!done.balanced() || done.resting_quantity != 0) {
    return complain("the exchange's books do not balance");
  }
  return exit_status::success;
}

void print(const exchange_report& report) {
  const auto line = [](const char* what, std::uint64_t n) {
    std::printf("%-12s %llu\n", what, static_cast<unsigned long long>(n));
  };
  line("connections", report.connections);
  line("malformed", report.malformed);
  line("slow", report.slow);
  line("orders", report.engine.orders);
  line("acks", report.engine.acks);
  line("rejects", report.engine.rejects);
  line("cancels", report.engine.cancels);
  line("trades", report.engine.trades);
  line("bought", report.engine.bought);
  line("sold", report.engine.sold);
  line("drained", report.drained ? 1 : 0);
}

int serve(const options& chosen) {
  const auto stop = spool::notify_context(spool::context::background(), {SIGINT, SIGTERM});
  exchange served({.port = chosen.port, .symbols = chosen.load.symbols});
  std::printf("orders: listening on 127.0.0.1:%u\n", unsigned{served.port()});
  std::fflush(stdout);
  const exchange_report report = served.run(stop.ctx());
  print(report);
  return judge(report);
}

int judge(const load_report& report) {
  const std::string complaint = report.totals.complaint();
  return complaint.empty() ? exit_status::success : complain(complaint);
}

int connect(const options& chosen) {
  const auto stop = spool::notify_context(spool::context::background(), {SIGINT, SIGTERM});
  const load_report report = offer_load(stop.ctx(), chosen.host, chosen.to_port, chosen.load);
  std::fputs(to_table(chosen.load, report).c_str(), stdout);
  return judge(report);
}

int run_both(const options& chosen) {
  const auto stop = spool::notify_context(spool::context::background(), {SIGINT, SIGTERM});
  exchange served({.symbols = chosen.load.symbols});
  const auto closing_time = spool::with_cancel(spool::context::background());
  exchange_report exchanged;
  spool::errgroup service(closing_time.ctx());  // ends the exchange, too, when an exception leaves this block
  service.go([&] { exchanged = served.run(service.context()); });
  const load_report load = offer_load(stop.ctx(), "127.0.0.1", std::to_string(served.port()), chosen.load);
  closing_time.cancel();
  if (const spool::error failure = service.wait()) return complain(failure.message());
  std::fputs(to_table(chosen.load, load).c_str(), stdout);
  if (exchanged.engine.orders != load.totals.orders) return complain("the exchange took another number of orders");
  const int status = judge(load);
  return status == exit_status::success ? judge(exchanged) : status;
}

int run(const options& chosen) {
  spool::runtime runtime({.name = "orders"});
  return runtime.run([&] {
    switch (chosen.part) {
      case options::role::serve: return serve(chosen);
      case options::role::connect: return connect(chosen);
      default: return run_both(chosen);
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  return command::run_main("orders", argc, argv, orders::parse, orders::usage, run);
}
