// Where spool says what it has to say: to the spdlog logger that is registered as "spool", else to the default logger
// that the application has set, else to standard error. Never to standard output, which belongs to the application.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>

namespace spool::detail {

std::shared_ptr<spdlog::logger> log();

}  // namespace spool::detail
