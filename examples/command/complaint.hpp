#pragma once

#include <string>
#include <string_view>

namespace command {

// Appends one line for stderr, "program: name: why". Control characters are shown as \ooo: what a file is called, or
// holds, must not be able to steer the terminal of who reads the message.
void append_complaint(std::string& out, std::string_view program, std::string_view name, std::string_view why);
void append_complaint(std::string& out, std::string_view program, std::string_view name, int error_number);

}  // namespace command
