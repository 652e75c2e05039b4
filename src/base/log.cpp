#include "base/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace spool::detail {

std::shared_ptr<spdlog::logger> log() {
  if (auto named = spdlog::get("spool")) return named;
  // The default logger that spdlog makes by itself has no name, and writes to standard output.
  if (auto set = spdlog::default_logger(); set != nullptr && !set->name().empty()) return set;
  static const auto* to_stderr = new auto(  // outlives every static runtime
      std::make_shared<spdlog::logger>("spool", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()));
  return *to_stderr;
}

}  // namespace spool::detail
