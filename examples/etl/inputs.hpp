#pragma once

#include <cstdint>
#include <spool/spool.hpp>
#include <string>
#include <vector>

namespace etl {

struct input {
  std::string name;          // a file's full path, without symbolic links; "-" is standard input
  std::uint64_t bytes = 0;   // when it was found
  bool has_position = true;  // standard input has none: it cannot be read again from there
};

// What PATH stands for: "-"; a file; or the files at any depth below a directory, in the order of their paths. The
// database may lie among them and is left out, with the files that SQLite puts beside it. Blocks the thread.
spool::result<std::vector<input>> find_inputs(const std::string& path, const std::string& database);

}  // namespace etl
