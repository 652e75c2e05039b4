#pragma once

#include <spool/spool.hpp>
#include <string>
#include <vector>

namespace crawler {

// Sends the URLs that the command line names; for "-" the lines of `standard_input`, without blank ones and those
// that start with '#'. Ends early when ctx is done, or when nobody receives any more.
spool::error feed_urls(const spool::context& ctx, const std::vector<std::string>& words, int standard_input,
                       const spool::sender<std::string>& to);

}  // namespace crawler
