#pragma once

#include <spool/spool.hpp>
#include <string>

#include "path_list.hpp"

namespace digest_tree {

struct job {
  path_list files;
  std::string complaints;  // of the walk; what lies before these files in its order
};

struct job_report {
  std::string lines;
  std::string complaints;
};

// The futures of all jobs, in the order of the walk.
using order_channel = spool::channel<spool::future<job_report>>;

}  // namespace digest_tree
