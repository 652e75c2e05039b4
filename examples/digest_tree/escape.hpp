#pragma once

#include <string>
#include <string_view>

namespace digest_tree {

// Appends `name` as sha256sum prints it: a backslash, newline or carriage return becomes \\, \n or \r.
// Every other byte stays as it is, valid UTF-8 or not. Returns whether anything was escaped.
bool append_escaped(std::string& out, std::string_view name);

// Appends one line of output; a line whose name was escaped starts with a backslash, so that
// `sha256sum --check` knows to undo it.
void append_line(std::string& out, std::string_view hex_digest, std::string_view name);

// Appends one line for stderr.
void append_complaint(std::string& out, std::string_view name, int error_number);

}  // namespace digest_tree
