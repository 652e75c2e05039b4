#pragma once

#include <cstddef>
#include <optional>
#include <spool/spool.hpp>
#include <string>

namespace crawler {

// Lines of a file, pipe or terminal, read on a helper thread that a context can call back while nothing comes. The
// descriptor is left in the mode in which it is: who else has it open does not expect it to become non-blocking.
class line_input {
 public:
  // std::system_error: no descriptor to be had.
  explicit line_input(int fd);
  ~line_input();
  line_input(const line_input&) = delete;
  line_input& operator=(const line_input&) = delete;

  // The next line, without its end; nothing after the last. Errors: ctx's, of reading, a line without end.
  spool::result<std::optional<std::string>> next(const spool::context& ctx);

 private:
  spool::error read_more(const spool::context& ctx);

  const int fd_;
  const int wake_;  // an eventfd, readable once ctx is done
  std::string buffer_;
  std::size_t taken_ = 0;  // of buffer_
  bool at_end_ = false;
};

}  // namespace crawler
