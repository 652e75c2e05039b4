#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <spool/spool.hpp>
#include <string>
#include <string_view>

#include "job_report.hpp"
#include "line_output.hpp"
#include "terminal_line.hpp"

namespace command {

// Takes the futures in order and prints what they give. The only one that writes, so that lines, messages
// and progress do not meet on a terminal.
class ordered_printer {
 public:
  using ticks = spool::receiver<std::chrono::steady_clock::time_point>;

  // At every tick of `redraw`, `progress` shows what describe() says.
  ordered_printer(order_channel order, ticks redraw, line_output& out, terminal_line& progress,
                  std::function<std::string()> describe);

  // False: stopped early, because ctx is done or because the output failed.
  bool run(const spool::context& ctx);
  bool flush(const spool::context& ctx);

  void complain(std::string_view lines);
  // Once the output has failed: says so, unless its reader just went away, and returns the exit status.
  int report_output_failure(std::string_view program);
  bool complained() const noexcept { return complained_; }

 private:
  std::optional<spool::future<job_report>> next_future(const spool::context& ctx);
  bool wait_ready(const spool::context& ctx, spool::future<job_report>& next);

  order_channel order_;
  ticks redraw_;
  line_output& out_;
  terminal_line& progress_;
  std::function<std::string()> describe_;
  bool complained_ = false;
};

}  // namespace command
