#include "parameter.hpp"

#include <array>
#include <charconv>

namespace db {
namespace {

struct appender {
  std::string& out;
  void operator()(std::nullptr_t) const {}
  void operator()(std::string_view text) const { out += text; }
  // The shortest digits that read back as the same number.
  void operator()(auto number) const {
    std::array<char, 32> digits;
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
  }
};

}  // namespace

void parameter::append_to(std::string& out) const { std::visit(appender{out}, value_); }

}  // namespace db
