#include <spool/pool/shutdown_summary.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace spool {
namespace {

std::string_view text(shutdown_phase phase) noexcept {
  switch (phase) {
    case shutdown_phase::stop: return "stop";
    case shutdown_phase::drain: return "drain";
    case shutdown_phase::cancel: return "cancel";
  }
  return "";
}

std::string_view text(shutdown_outcome outcome) noexcept {
  switch (outcome) {
    case shutdown_outcome::done: return "done";
    case shutdown_outcome::failed: return "failed";
    case shutdown_outcome::late: return "late";
    case shutdown_outcome::running: return "still running";
    case shutdown_outcome::skipped: return "skipped";
    case shutdown_outcome::not_needed: return "not needed";
  }
  return "";
}

std::string text(std::chrono::nanoseconds d) {
  const double ms = std::chrono::duration<double, std::milli>(d).count();
  return ms < 1000 ? fmt::format("{:.1f} ms", ms) : fmt::format("{:.1f} s", ms / 1000);
}

bool was_begun(shutdown_outcome outcome) noexcept {
  return outcome != shutdown_outcome::skipped && outcome != shutdown_outcome::not_needed;
}

}  // namespace

bool shutdown_summary::ended() const noexcept {
  return std::none_of(steps.begin(), steps.end(),
                      [](const shutdown_step& s) { return s.outcome == shutdown_outcome::running; });
}

bool shutdown_summary::ok() const noexcept {
  return drained && std::none_of(steps.begin(), steps.end(),
                                 [](const shutdown_step& s) { return s.outcome == shutdown_outcome::failed; });
}

std::string to_string(const shutdown_summary& summary) {
  std::string out = fmt::format("shutdown ({}): {}{} after {}", summary.cause.message(),
                                summary.drained ? "drained" : "not drained", summary.forced ? ", forced," : "",
                                text(summary.took));
  std::size_t width = 0;
  for (const shutdown_step& s : summary.steps) width = std::max(width, s.name.size());
  for (const shutdown_step& s : summary.steps) {
    fmt::format_to(std::back_inserter(out), "\n  {:<6} {:<{}}  {}", text(s.phase), s.name, width, text(s.outcome));
    if (was_begun(s.outcome)) fmt::format_to(std::back_inserter(out), ", {}", text(s.took));
    if (s.err) fmt::format_to(std::back_inserter(out), ": {}", s.err.message());
  }
  for (const shutdown_pool& p : summary.pools) {
    fmt::format_to(std::back_inserter(out),
                   "\n  jobs of {}: {} accepted = {} completed + {} failed + {} expired + {} abandoned + {} left",
                   p.name, p.accepted, p.completed, p.failed, p.expired, p.abandoned, p.left);
  }
  return out;
}

}  // namespace spool
