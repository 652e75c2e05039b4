#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace command {

// Reads the value of an option that takes a number from 1 to `most`. False: not one; `complaint` says so.
bool parse_count(const char* option, std::string_view text, std::size_t most, std::size_t& into,
                 std::string& complaint);

}  // namespace command
