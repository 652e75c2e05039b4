#pragma once

#include <spool/spool.hpp>
#include <vector>

#include "input_line.hpp"
#include "inputs.hpp"
#include "position.hpp"

namespace etl {

// Sends the lines of the inputs one after the other, each input from where `done` says on, without lines that are
// blank. Returns early when nobody receives them any more.
spool::error read_lines(const spool::context& ctx, const std::vector<input>& inputs, const positions& done,
                        const spool::sender<input_line>& out);

}  // namespace etl
