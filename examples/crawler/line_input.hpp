#pragma once

#include <cstddef>
#include <optional>
#include <spool/spool.hpp>
#include <string>

#include "command/descriptor_input.hpp"

namespace crawler {

// Lines of a file, pipe or terminal.
class line_input {
 public:
  // std::system_error: no descriptor to be had.
  explicit line_input(int fd) : input_(fd, "standard input") {}

  // The next line, without its end; nothing after the last. Errors: ctx's, of reading, a line without end.
  spool::result<std::optional<std::string>> next(const spool::context& ctx);

 private:
  command::descriptor_input input_;
  std::string buffer_;
  std::size_t taken_ = 0;  // of buffer_
  bool at_end_ = false;
};

}  // namespace crawler
