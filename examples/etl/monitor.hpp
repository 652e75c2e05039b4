#pragma once

#include <chrono>
#include <cstdint>
#include <spool/spool.hpp>
#include <vector>

#include "command/terminal_line.hpp"
#include "inputs.hpp"
#include "position.hpp"
#include "record.hpp"
#include "store.hpp"
#include "totals.hpp"

namespace etl {

// Counts what has been committed, and shows it: progress, and a message for each of the first rejected lines. The only
// one that writes to stderr while the pipeline runs. Thread safe.
class monitor {
 public:
  // `inputs` and `progress` outlive this.
  monitor(const std::vector<input>& inputs, const positions& done, command::terminal_line& progress);

  void committed(const record_batch& batch, const written& result);
  void redraw();
  // Takes the progress off the terminal and says what the counts are in the end.
  totals finish();

 private:
  static constexpr std::uint64_t most_complaints = 20;

  void note(const record& r);
  void complain(const record& r, const rejection& refused);

  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  const std::vector<input>& inputs_;
  std::vector<std::uint64_t> bytes_before_;  // of inputs_[i]: what those before it hold; the last: all of them
  bool knows_size_ = true;

  spool::mutex mu_;  // guards all below
  totals counts_;
  std::uint64_t bytes_done_ = 0;
  command::terminal_line& progress_;
};

}  // namespace etl
