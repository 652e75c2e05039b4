#include "digest.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <utility>

#include "command/exit_status.hpp"
#include "command/line_output.hpp"
#include "command/ordered_printer.hpp"
#include "command/terminal_line.hpp"
#include "hash_shop.hpp"
#include "job_feed.hpp"
#include "progress.hpp"

namespace digest_tree {
namespace {

namespace exit_status = command::exit_status;
using command::line_output;
using command::ordered_printer;
using command::terminal_line;

// Some files of one job are hashed while the next are found: large enough that handing a job over does not
// show beside hashing it, small enough that the last jobs end together.
constexpr std::size_t most_files_per_job = 16;

// Finished jobs that wait for one before them, typically 2 KB each: while one worker is busy with a huge
// file, the others get this far ahead.
constexpr std::size_t most_finished_jobs = 1024;

// With no file to name, xargs starts sha256sum without arguments, and that hashes its empty input.
void append_nothing_found(line_output& out) {
  out.append("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -\n");
}

}  // namespace

int digest(command::tree_walk& walk, const options& chosen) {
  // Two contexts, one inside the other: which of them is done tells which signal came.
  const auto interrupted = spool::notify_context(spool::runtime::current()->root(), {SIGINT});
  const auto terminated = spool::notify_context(interrupted.ctx(), {SIGTERM});

  line_output out(STDOUT_FILENO);
  terminal_line progress(STDERR_FILENO, ::isatty(STDERR_FILENO) == 1 && !out.is_pipe());
  std::optional<spool::ticker> ticker;
  ordered_printer::ticks redraw = spool::channel<std::chrono::steady_clock::time_point>(nullptr);  // never chosen
  if (progress.shown()) {
    redraw = ticker.emplace(terminal_line::interval).c();
  }

  tally counts;
  const auto began = std::chrono::steady_clock::now();
  hash_shop shop(counts);
  const std::size_t files_per_job = std::clamp<std::size_t>(chosen.queue_files / 8, 1, most_files_per_job);
  spool::worker_pool pool({.name = "hash",
                           .workers = chosen.workers,
                           .queue_capacity = std::max<std::size_t>(1, chosen.queue_files / files_per_job)});
  const command::order_channel order(most_finished_jobs);
  job_feed feed(walk, pool, shop, order, counts, files_per_job);

  // Last, so that it goes first: whatever ends this function early cancels the walk and the jobs.
  spool::errgroup crew(terminated.ctx());
  crew.go([&] { return feed.run(crew.context()); });
  ordered_printer printing(order, std::move(redraw), out, progress,
                           [&] { return describe(counts, std::chrono::steady_clock::now() - began); });
  bool complete = printing.run(crew.context());
  if (!terminated.ctx().done() && out.error_number() == 0) {
    if (const spool::error failure = crew.wait()) {
      failure.rethrow();
    }
    if (!feed.found_any()) {
      append_nothing_found(out);
    }
    complete = printing.flush(terminated.ctx());
  }
  if (out.error_number() != 0) {
    return printing.report_output_failure("digest_tree");
  }
  if (!complete) {
    static_cast<void>(out.write_pending());  // whole lines, if the reader takes them at once
    return interrupted.ctx().done() ? exit_status::interrupted : exit_status::terminated;
  }
  return printing.complained() ? exit_status::some_failed : exit_status::success;
}

}  // namespace digest_tree
