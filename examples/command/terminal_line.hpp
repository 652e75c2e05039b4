#pragma once

#include <chrono>
#include <string_view>

namespace command {

// One line on the terminal that is written over and over, for progress.
class terminal_line {
 public:
  static constexpr std::chrono::milliseconds interval{250};

  terminal_line(int fd, bool shown) : fd_(fd), shown_(shown) {}
  ~terminal_line() { clear(); }
  terminal_line(const terminal_line&) = delete;
  terminal_line& operator=(const terminal_line&) = delete;

  bool shown() const noexcept { return shown_; }
  void show(std::string_view text);  // what does not fit into 79 columns is cut off
  void clear();                      // before anything else is written to the same terminal

 private:
  void put(std::string_view text) const;

  int fd_;
  bool shown_;
  bool drawn_ = false;
};

}  // namespace command
