#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "position.hpp"

namespace etl {

struct text_line {
  std::string text = {};  // without its end, "\n" or "\r\n"; empty if too_long
  position begin = {};
  position end = {};  // behind its end; end.lines is its number, counted from 1
  bool too_long = false;
  bool ended = true;  // false: the last one, without a newline
};

// Makes lines of chunks. What it holds is bounded: of a line longer than `longest` only the length is kept.
class line_splitter {
 public:
  line_splitter(position begin, std::size_t longest) : begin_(begin), longest_(longest) {}

  void append(std::string_view chunk);
  // The next line that is complete.
  std::optional<text_line> next();
  // After the last next(): what follows the last newline, unless that is nothing.
  std::optional<text_line> rest();

 private:
  text_line take(std::size_t text_bytes, std::size_t end_bytes);

  std::string buffer_;
  std::size_t taken_ = 0;      // of buffer_
  std::size_t searched_ = 0;   // no newline in buffer_ from taken_ to here
  std::uint64_t dropped_ = 0;  // bytes of the present line that are not in buffer_ any more
  position begin_;             // of the present line
  const std::size_t longest_;
};

}  // namespace etl
