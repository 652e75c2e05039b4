#pragma once

#include <chrono>
#include <optional>
#include <spool/spool.hpp>
#include <string_view>

#include "job.hpp"
#include "line_output.hpp"
#include "progress.hpp"

namespace digest_tree {

// Takes the futures in order and prints what they give. The only one that writes, so that lines, messages
// and progress do not meet on a terminal.
class ordered_printer {
 public:
  using ticks = spool::receiver<std::chrono::steady_clock::time_point>;

  ordered_printer(order_channel order, ticks redraw, line_output& out, progress_line& progress, const tally& counts);

  // False: stopped early, because ctx is done or because the output failed.
  bool run(const spool::context& ctx);
  bool flush(const spool::context& ctx);

  void complain(std::string_view lines);
  bool complained() const noexcept { return complained_; }

 private:
  std::optional<spool::future<job_report>> next_future(const spool::context& ctx);
  bool wait_ready(const spool::context& ctx, spool::future<job_report>& next);

  order_channel order_;
  ticks redraw_;
  line_output& out_;
  progress_line& progress_;
  const tally& counts_;
  bool complained_ = false;
};

}  // namespace digest_tree
