#pragma once

#include <spool/spool.hpp>
#include <vector>

#include "inputs.hpp"
#include "position.hpp"
#include "record.hpp"

namespace etl {

inline constexpr std::size_t longest_line_bytes = 1024 * 1024;

// Sends the lines of the inputs one after the other, each input from where `done` says on, without lines that are blank.
// Returns early when nobody receives them any more.
spool::error read_lines(const spool::context& ctx, const std::vector<input>& inputs, const positions& done,
                        const spool::sender<raw_line>& out);

}  // namespace etl
