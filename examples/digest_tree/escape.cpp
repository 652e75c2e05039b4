#include "escape.hpp"

#include "command/complaint.hpp"

namespace digest_tree {

bool append_escaped(std::string& out, std::string_view name) {
  constexpr std::string_view special = "\\\n\r";
  bool escaped = false;
  for (auto at = name.find_first_of(special); at != std::string_view::npos; at = name.find_first_of(special)) {
    escaped = true;
    out.append(name.substr(0, at));
    out.push_back('\\');
    out.push_back(name[at] == '\n' ? 'n' : name[at] == '\r' ? 'r' : '\\');
    name.remove_prefix(at + 1);
  }
  out.append(name);
  return escaped;
}

void append_line(std::string& out, std::string_view hex_digest, std::string_view name) {
  const std::size_t start = out.size();
  out.append(hex_digest);
  out.append("  ");
  if (append_escaped(out, name)) {
    out.insert(start, 1, '\\');
  }
  out.push_back('\n');
}

void append_complaint(std::string& out, std::string_view name, int error_number) {
  command::append_complaint(out, "digest_tree", name, error_number);
}

}  // namespace digest_tree
