#include "batch.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <utility>

#include "command/exit_status.hpp"
#include "command/line_output.hpp"
#include "command/ordered_printer.hpp"
#include "command/terminal_line.hpp"
#include "image_feed.hpp"
#include "image_run.hpp"

namespace thumbnails {
namespace {

namespace exit_status = command::exit_status;
using std::chrono::steady_clock;

// Finished images that wait for one before them, some 100 bytes each: while a large one takes its time, the others get
// this far ahead.
constexpr std::size_t most_finished_images = 1024;

unsigned long long count(const std::atomic<std::uint64_t>& number) { return number.load(std::memory_order_relaxed); }

double images_per_second(const tally& counts, steady_clock::duration elapsed) {
  return static_cast<double>(count(counts.made)) / std::max(std::chrono::duration<double>(elapsed).count(), 1e-3);
}

std::string describe(const tally& counts, steady_clock::duration elapsed) {
  std::array<char, 160> line;
  const int length = std::snprintf(line.data(), line.size(),
                                   "%llu thumbnails, %llu failed, %.1f images/s, %llu in flight", count(counts.made),
                                   count(counts.failed), images_per_second(counts, elapsed), count(counts.in_flight));
  return {line.data(), std::min(static_cast<std::size_t>(length), line.size() - 1)};
}

// What differs from run to run comes last.
std::string summary(const tally& counts, steady_clock::duration elapsed) {
  std::array<char, 200> line;
  const int length = std::snprintf(
      line.data(), line.size(), "%llu thumbnails, %llu failed, %llu bytes in, %llu bytes out, %.2f s, %.1f images/s\n",
      count(counts.made), count(counts.failed), count(counts.bytes_in), count(counts.bytes_out),
      std::chrono::duration<double>(elapsed).count(), images_per_second(counts, elapsed));
  return {line.data(), std::min(static_cast<std::size_t>(length), line.size() - 1)};
}

}  // namespace

int make_thumbnails(command::tree_walk& walk, std::size_t root_bytes, const output_tree& out_tree,
                    const options& chosen) {
  // Two contexts, one inside the other: which of them is done tells which signal came.
  const auto interrupted = spool::notify_context(spool::runtime::current()->root(), {SIGINT});
  const auto terminated = spool::notify_context(interrupted.ctx(), {SIGTERM});

  command::line_output out(STDOUT_FILENO);
  command::terminal_line progress(STDERR_FILENO, ::isatty(STDERR_FILENO) == 1 && !out.is_pipe());
  std::optional<spool::ticker> ticker;
  command::ordered_printer::ticks redraw = spool::channel<steady_clock::time_point>(nullptr);  // never chosen
  if (progress.shown()) {
    redraw = ticker.emplace(command::terminal_line::interval).c();
  }

  tally counts;
  const auto began = steady_clock::now();
  spool::worker_pool processors(
      {.name = "processors", .workers = chosen.workers, .queue_capacity = chosen.queue_images});
  image_run images(processors, out_tree, chosen, counts);
  const std::size_t in_flight = processors.stats().workers + chosen.queue_images;
  spool::worker_pool carriers({.name = "carriers", .workers = in_flight, .queue_capacity = 0});
  const command::order_channel order(most_finished_images);
  image_feed feed(walk, root_bytes, out_tree, carriers, images, order);

  // Last, so that it goes first: whatever ends this function early cancels the walk and the images.
  spool::errgroup crew(terminated.ctx());
  crew.go([&] { return feed.run(crew.context()); });
  command::ordered_printer printing(order, std::move(redraw), out, progress,
                                    [&] { return describe(counts, steady_clock::now() - began); });
  bool complete = printing.run(crew.context());
  if (!terminated.ctx().done() && out.error_number() == 0) {
    if (const spool::error failure = crew.wait()) {
      failure.rethrow();
    }
    out.append(summary(counts, steady_clock::now() - began));
    complete = printing.flush(terminated.ctx());
  }
  if (out.error_number() != 0) {
    return printing.report_output_failure("thumbnails");
  }
  if (!complete) {
    static_cast<void>(out.write_pending());  // whole lines, if the reader takes them at once
    return interrupted.ctx().done() ? exit_status::interrupted : exit_status::terminated;
  }
  return printing.complained() ? exit_status::some_failed : exit_status::success;
}

}  // namespace thumbnails
