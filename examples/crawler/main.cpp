// Scenario: fetch many pages of many hosts, quickly and politely: a bounded number at a time, a rate per host, a
// timeout per page. Workers both take pages and find new ones, which is where many a crawler deadlocks; crawl.cpp
// says why not this one.

#include <sys/resource.h>
#include <unistd.h>

#include <boost/system/system_error.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "command/exit_status.hpp"
#include "command/run_main.hpp"
#include "command/terminal_line.hpp"
#include "crawl.hpp"
#include "options.hpp"
#include "service.hpp"
#include "totals.hpp"

namespace {

using namespace crawler;
namespace exit_status = command::exit_status;

// A connection is a descriptor; most systems hand out 1,024 and more for the asking.
void allow_many_descriptors() {
  rlimit allowed;
  if (::getrlimit(RLIMIT_NOFILE, &allowed) == 0) {
    allowed.rlim_cur = allowed.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &allowed);
  }
}

bool say(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

int crawl_or_serve(const options& chosen) {
  // Two contexts, one inside the other: which of them is done tells which signal came.
  const auto interrupted = spool::notify_context(spool::runtime::current()->root(), {SIGINT});
  const auto terminated = spool::notify_context(interrupted.ctx(), {SIGTERM});
  const spool::context& ctx = terminated.ctx();
  const auto status = [&](int unless_stopped) {
    if (interrupted.ctx().done()) return exit_status::interrupted;
    return ctx.done() ? exit_status::terminated : unless_stopped;
  };

  std::vector<std::string> start = chosen.urls;
  std::optional<service> own;
  if (start.empty()) {
    start.push_back(own.emplace(chosen.directory, chosen.port, chosen.delay).url());
    if (!say("serving " + chosen.directory + " at " + start.front() + "\n")) return exit_status::some_failed;
  }
  if (chosen.serve_only) {
    ctx.wait();
    return status(exit_status::success);
  }

  const auto began = std::chrono::steady_clock::now();
  command::terminal_line progress(STDERR_FILENO, ::isatty(STDERR_FILENO) == 1);
  const totals counts = crawl(ctx, chosen, start, progress);
  if (!say(report(counts, std::chrono::steady_clock::now() - began))) return exit_status::some_failed;
  return status(counts.failures > 0 ? exit_status::some_failed : exit_status::success);
}

int run(const options& chosen) {
  allow_many_descriptors();
  spool::runtime runtime({.name = "crawler"});
  try {
    return runtime.run([&] { return crawl_or_serve(chosen); });
  } catch (const std::system_error& failure) {  // no such directory
    std::fprintf(stderr, "crawler: %s\n", failure.what());
  } catch (const boost::system::system_error& failure) {
    std::fprintf(stderr, "crawler: port %u: %s\n", unsigned{chosen.port}, failure.code().message().c_str());
  }
  return exit_status::bad_usage;
}

}  // namespace

int main(int argc, char** argv) {
  return command::run_main("crawler", argc, argv, crawler::parse, crawler::usage, run);
}
