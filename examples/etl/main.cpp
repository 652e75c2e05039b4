// Scenario: events from files into a database, each exactly once whatever happens in between, enriched by three
// services that may be slow, wrong or dead without stopping the rest.

#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <spool/spool.hpp>
#include <string>
#include <utility>
#include <vector>

#include "command/exit_status.hpp"
#include "command/run_main.hpp"
#include "command/terminal_line.hpp"
#include "etl.hpp"
#include "http/client.hpp"
#include "inputs.hpp"
#include "monitor.hpp"
#include "options.hpp"
#include "sample_service.hpp"
#include "store.hpp"
#include "totals.hpp"

namespace {

using namespace etl;
namespace exit_status = command::exit_status;

// The first SIGINT or SIGTERM cancels ctx(); a second one kills the process.
class stop_signals {
 public:
  explicit stop_signals(const spool::context& parent)
      : interrupted_(spool::notify_context(parent, {SIGINT})),
        terminated_(spool::notify_context(interrupted_.ctx(), {SIGTERM})),
        prevent_(spool::after_func(terminated_.ctx(), [this] { give_back(); })) {}
  ~stop_signals() {
    if (!prevent_()) given_back_.wait();
  }
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;

  const spool::context& ctx() const { return terminated_.ctx(); }
  int status(int unless_stopped) {
    if (!ctx().done()) return unless_stopped;
    given_back_.wait();
    return status_;
  }

 private:
  void give_back() {
    status_ = interrupted_.ctx().done() ? exit_status::interrupted : exit_status::terminated;
    terminated_.cancel();
    interrupted_.cancel();
    given_back_.count_down();
  }

  spool::cancel_scope interrupted_;
  spool::cancel_scope terminated_;
  int status_ = exit_status::success;  // before given_back_
  spool::latch given_back_{1};
  spool::after_func_stop prevent_;
};

int complain(const spool::error& failure, int status) {
  std::fprintf(stderr, "etl: %s\n", failure.message().c_str());
  return status;
}

// Redraws until ctx is done.
void show_progress(const spool::context& ctx, monitor& seen) {
  for (seen.redraw(); !spool::this_fiber::sleep_for(ctx, command::terminal_line::interval);) seen.redraw();
}

// Our own services, or nothing.
std::vector<std::unique_ptr<sample_service>> start_services(const options& chosen) {
  std::vector<std::unique_ptr<sample_service>> own;
  for (std::size_t i = 0; i < field_count && !chosen.services; ++i) {
    const sample_service_options how{chosen.unreliable_percent, chosen.latency, chosen.dead[i]};
    own.push_back(std::make_unique<sample_service>(fields[i], how));
  }
  return own;
}

int enrich(stop_signals& signals, const options& chosen, const std::vector<input>& inputs, const positions& done,
           store& database) {
  const auto own = start_services(chosen);
  http::client client({.connections_per_host = chosen.workers, .idle_connections = chosen.workers * field_count});
  service_clients services;
  for (std::size_t i = 0; i < field_count; ++i) {
    http::url base = chosen.services ? (*chosen.services)[i] : http::parse_url(own[i]->url()).value();
    services[i] = std::make_unique<service_client>(fields[i], std::move(base), client, chosen.timeout);
  }
  command::terminal_line progress(STDERR_FILENO, ::isatty(STDERR_FILENO) == 1);
  monitor seen(inputs, done, progress);
  spool::error failure;
  const auto began = std::chrono::steady_clock::now();
  {
    spool::wait_group drawing;
    const auto running = spool::with_cancel(signals.ctx());
    if (progress.shown()) drawing.go([&] { show_progress(running.ctx(), seen); });
    failure = run_pipeline(signals.ctx(), chosen, inputs, done, services, database, seen);
    running.cancel();
    drawing.wait();
  }
  const auto elapsed = std::chrono::steady_clock::now() - began;
  const totals counts = seen.finish();
  std::array<service_report, field_count> reports;
  for (std::size_t i = 0; i < field_count; ++i) {
    reports[i] = {services[i]->state(), services[i]->times_opened(), services[i]->retries()};
  }
  const std::string text = report(counts, reports, elapsed);
  const bool said = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (failure && !signals.ctx().done()) return complain(failure, exit_status::some_failed);
  return signals.status(counts.rejected == 0 && said ? exit_status::success : exit_status::some_failed);
}

int extract_and_load(const options& chosen) {
  stop_signals signals(spool::runtime::current()->root());
  const spool::context& ctx = signals.ctx();
  const auto inputs = spool::blocking([&] { return find_inputs(chosen.input, chosen.database); });
  if (!inputs) return complain(inputs.error(), exit_status::bad_usage);
  const auto database = open_store(ctx, chosen.database);
  if (!database) return signals.status(complain(database.error(), exit_status::some_failed));
  const auto done = (*database)->load_positions(ctx);
  if (!done) return signals.status(complain(done.error(), exit_status::some_failed));
  return enrich(signals, chosen, *inputs, *done, **database);
}

int run(const options& chosen) {
  spool::runtime runtime({.name = "etl"});
  return runtime.run([&] { return extract_and_load(chosen); });
}

}  // namespace

int main(int argc, char** argv) {
  return command::run_main("etl", argc, argv, etl::parse, etl::usage, run);
}
