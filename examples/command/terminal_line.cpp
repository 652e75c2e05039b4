#include "terminal_line.hpp"

#include <unistd.h>

#include <string>

namespace command {

void terminal_line::show(std::string_view text) {
  if (!shown_) {
    return;
  }
  // 79 columns at most, or the terminal wraps and \r no longer returns to the line's start.
  put(std::string("\r\033[K").append(text.substr(0, 79)));
  drawn_ = true;
}

void terminal_line::clear() {
  if (drawn_) {
    put("\r\033[K");
    drawn_ = false;
  }
}

void terminal_line::put(std::string_view text) const {
  // A terminal that is gone is no reason to fail: progress is a courtesy.
  [[maybe_unused]] const auto ignored = ::write(fd_, text.data(), text.size());
}

}  // namespace command
