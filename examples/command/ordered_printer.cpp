#include "ordered_printer.hpp"

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include "complaint.hpp"
#include "exit_status.hpp"

namespace command {

ordered_printer::ordered_printer(order_channel order, ticks redraw, line_output& out, terminal_line& progress,
                                 std::function<std::string()> describe)
    : order_(std::move(order)),
      redraw_(std::move(redraw)),
      out_(out),
      progress_(progress),
      describe_(std::move(describe)) {}

bool ordered_printer::run(const spool::context& ctx) {
  while (auto next = next_future(ctx)) {
    if (!wait_ready(ctx, *next)) {
      return false;
    }
    job_report report = next->get();
    if (ctx.done()) {
      return false;
    }
    complain(report.complaints);
    out_.append(report.lines);
    if (out_.due() && !flush(ctx)) {
      return false;
    }
  }
  return !ctx.done();
}

bool ordered_printer::flush(const spool::context& ctx) {
  if (out_.is_terminal()) {
    progress_.clear();
  }
  for (;;) {
    switch (out_.write_pending()) {
      case line_output::state::clear: return true;
      case line_output::state::failed: return false;
      case line_output::state::blocked: break;
    }
    if (ctx.done()) {
      return false;
    }
    spool::blocking([this] { out_.wait_writable(100); });
  }
}

void ordered_printer::complain(std::string_view lines) {
  if (!lines.empty()) {
    complained_ = true;
    progress_.clear();
    std::fwrite(lines.data(), 1, lines.size(), stderr);
  }
}

int ordered_printer::report_output_failure(std::string_view program) {
  if (out_.error_number() == EPIPE) {
    return exit_status::reader_gone;
  }
  std::string line;
  append_complaint(line, program, "standard output", out_.error_number());
  complain(line);
  return exit_status::some_failed;
}

std::optional<spool::future<job_report>> ordered_printer::next_future(const spool::context& ctx) {
  std::optional<spool::future<job_report>> next;
  bool ended = false;
  while (!next && !ended) {
    spool::select(spool::on_recv(order_,
                                 [&](std::optional<spool::future<job_report>> got) {
                                   ended = !got;
                                   next = std::move(got);
                                 }),
                  spool::on_recv(redraw_, [&](auto) { progress_.show(describe_()); }),
                  spool::on_done(ctx, [&] { ended = true; }));
  }
  return next;
}

bool ordered_printer::wait_ready(const spool::context& ctx, spool::future<job_report>& next) {
  for (bool ready = false; !ready;) {
    bool stop = false;
    spool::select(spool::on_ready(next, [&] { ready = true; }),
                  spool::on_recv(redraw_, [&](auto) { progress_.show(describe_()); }),
                  spool::on_done(ctx, [&] { stop = true; }));
    if (stop) {
      return false;
    }
  }
  return !ctx.done();
}

}  // namespace command
