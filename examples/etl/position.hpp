#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace etl {

// How far a file has been dealt with: everything before is in the database, nothing after.
struct position {
  std::uint64_t bytes = 0;
  std::uint64_t lines = 0;

  bool operator==(const position&) const = default;
};

using positions = std::map<std::string, position, std::less<>>;  // by the file's full path

}  // namespace etl
