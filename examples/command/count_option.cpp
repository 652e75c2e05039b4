#include "count_option.hpp"

#include <charconv>

namespace command {

bool parse_count(const char* option, std::string_view text, std::size_t most, std::size_t& into,
                 std::string& complaint) {
  std::size_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value == 0 || value > most) {
    complaint =
        std::string(option) + " takes a number from 1 to " + std::to_string(most) + ", not '" + std::string(text) + "'";
    return false;
  }
  into = value;
  return true;
}

}  // namespace command
