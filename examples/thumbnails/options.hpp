#pragma once

#include <cstddef>
#include <string>

#include "command/read_options.hpp"

namespace thumbnails {

struct options {
  std::string root;
  std::string out = "thumbnails";
  std::size_t longest_side = 256;
  std::size_t workers = 0;  // 0: as many as the runtime has threads
  std::size_t queue_images = 32;
};

using command::parse_result;

// `bad` puts the reason into `complaint`.
parse_result parse(int argc, char** argv, options& into, std::string& complaint);

const char* usage() noexcept;

}  // namespace thumbnails
