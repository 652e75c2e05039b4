#pragma once

#include <cstddef>
#include <string>

#include "command/read_options.hpp"

namespace digest_tree {

struct options {
  std::string root;
  std::size_t workers = 0;  // 0: as many as the runtime has threads
  std::size_t queue_files = 1024;
};

using command::parse_result;

// `bad` puts the reason into `complaint`.
parse_result parse(int argc, char** argv, options& into, std::string& complaint);

const char* usage() noexcept;

}  // namespace digest_tree
