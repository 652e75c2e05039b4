// shutdown_summary: what a shutdown_sequence did, step by step.
#pragma once

#include <spool/base/error.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace spool {

enum class shutdown_phase : std::uint8_t { stop, drain, cancel };

enum class shutdown_outcome : std::uint8_t {
  done,        ///< ended in time, without an error
  failed,      ///< ended with an error or an exception
  late,        ///< ended without an error, but nobody waited for it any more
  running,     ///< had not ended when the summary was made
  skipped,     ///< a drain step that was not begun: the time was up, or a second signal came
  not_needed,  ///< a cancel step of what had drained
};

struct shutdown_step {
  std::string name;
  shutdown_phase phase = shutdown_phase::stop;
  shutdown_outcome outcome = shutdown_outcome::skipped;
  std::chrono::nanoseconds took{};  ///< until it ended, or until the summary was made; 0 for a step that was not begun
  error err;                        ///< of a step that failed
};

/// The jobs of a worker_pool. accepted == completed + failed + expired + abandoned + left.
struct shutdown_pool {
  std::string name;
  std::uint64_t accepted = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t expired = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t left = 0;  ///< still executing, or queued, when the summary was made
};

struct shutdown_summary {
  error cause;           ///< why it began: "signal: terminated", the parent's cause, or what request() was given
  bool drained = false;  ///< every drain step ended in time and without an error; nothing was cancelled
  bool forced = false;   ///< a second signal, or force()
  std::chrono::nanoseconds took{};   ///< from the begin of the first step
  std::vector<shutdown_step> steps;  ///< stop, drain, cancel; each in the order of registration
  std::vector<shutdown_pool> pools;  ///< in the order in which they were added

  /// No step is still running.
  bool ended() const noexcept;
  /// Drained, and no step failed.
  bool ok() const noexcept;
};

/// Several lines for a log or a terminal, without a newline at the end.
std::string to_string(const shutdown_summary& summary);

}  // namespace spool
