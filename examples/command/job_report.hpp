#pragma once

#include <spool/spool.hpp>

#include <string>

namespace command {

// What one job has to say: whole lines for standard output, and messages for stderr that go before them.
struct job_report {
  std::string lines;
  std::string complaints;
};

// The futures of all jobs, in the order in which they are to be printed.
using order_channel = spool::channel<spool::future<job_report>>;

}  // namespace command
