#pragma once

#include <chrono>
#include <spool/spool.hpp>
#include <string>

#include "command/terminal_line.hpp"
#include "options.hpp"
#include "totals.hpp"

namespace crawler {

// Fetches `start` and what it leads to, as far as the options say, until nothing is left or ctx is done. Messages about
// pages that fail go to stderr. Waits until everything that it started has ended.
totals crawl(const spool::context& ctx, const options& chosen, const std::vector<std::string>& start,
             command::terminal_line& progress);

}  // namespace crawler
