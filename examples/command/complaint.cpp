#include "complaint.hpp"

#include <system_error>

namespace command {
namespace {

void append_visible(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.push_back(c);
      continue;
    }
    out.push_back('\\');
    for (int shift = 6; shift >= 0; shift -= 3) {
      out.push_back(static_cast<char>('0' + ((byte >> shift) & 7)));
    }
  }
}

}  // namespace

void append_complaint(std::string& out, std::string_view program, std::string_view name, std::string_view why) {
  out.append(program).append(": ");
  append_visible(out, name);
  out.append(": ");
  append_visible(out, why);
  out.push_back('\n');
}

void append_complaint(std::string& out, std::string_view program, std::string_view name, int error_number) {
  append_complaint(out, program, name, std::generic_category().message(error_number));
}

}  // namespace command
