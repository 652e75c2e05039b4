#pragma once

#include <cstddef>

#include "inputs.hpp"
#include "line_splitter.hpp"

namespace etl {

inline constexpr std::size_t longest_line_bytes = 64 * 1024;

struct input_line {
  const input* from = nullptr;
  text_line line;
};

}  // namespace etl
