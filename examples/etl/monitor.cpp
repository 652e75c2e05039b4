#include "monitor.hpp"

#include <cstddef>
#include <cstdio>
#include <mutex>
#include <string>
#include <variant>

#include "command/complaint.hpp"

namespace etl {

monitor::monitor(const std::vector<input>& inputs, const positions& done, command::terminal_line& progress)
    : inputs_(inputs), bytes_before_{0}, progress_(progress) {
  for (const input& i : inputs) {
    bytes_before_.push_back(bytes_before_.back() + i.bytes);
    if (!i.has_position) knows_size_ = false;
    const auto known = i.has_position ? done.find(i.name) : done.end();
    if (known != done.end()) counts_.earlier_lines += known->second.lines;
  }
}

void monitor::committed(const record_batch& batch, const written& result) {
  const std::lock_guard lock(mu_);
  std::uint64_t events = batch.size();
  for (const record& r : batch) {
    note(r);
    const auto* refused = std::get_if<rejection>(&r.what);
    if (refused == nullptr) continue;
    --events;
    complain(r, *refused);
  }
  counts_.rows += result.rows;
  counts_.duplicates += events - result.rows;
}

void monitor::note(const record& r) {
  for (std::size_t i = 0; i < field_count; ++i) counts_.degraded[i] += r.degraded >> i & 1;
  bytes_done_ = bytes_before_[static_cast<std::size_t>(r.where.from - inputs_.data())] + r.where.end.bytes;
}

void monitor::complain(const record& r, const rejection& refused) {
  const std::uint64_t before = counts_.rejected++;
  if (before > most_complaints) return;
  std::string line;
  const std::string place = r.where.from->name + ":" + std::to_string(r.where.line);
  std::string why = refused.why;
  if (r.unfinished) why += "; the file ends in mid-line, this line is left for the next run";
  if (before == most_complaints) why += "; the table rejects has the rest";
  command::append_complaint(line, "etl", place, why);
  progress_.clear();
  std::fputs(line.c_str(), stderr);
}

void monitor::redraw() {
  const std::lock_guard lock(mu_);
  const std::uint64_t all = bytes_before_.back();
  const double done = !knows_size_ || all == 0 ? -1 : static_cast<double>(bytes_done_) / static_cast<double>(all);
  progress_.show(describe(counts_, done, std::chrono::steady_clock::now() - began_));
}

totals monitor::finish() {
  const std::lock_guard lock(mu_);
  progress_.clear();
  return counts_;
}

}  // namespace etl
