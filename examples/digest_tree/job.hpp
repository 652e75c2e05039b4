#pragma once

#include <string>

#include "path_list.hpp"

namespace digest_tree {

struct job {
  path_list files;
  std::string complaints;  // of the walk; what lies before these files in its order
};

}  // namespace digest_tree
