#pragma once

#include <cstddef>
#include <spool/spool.hpp>
#include <string>

namespace command {

// Bytes of a file, pipe or terminal, read on a helper thread that a context can call back while nothing comes. The
// descriptor is left in the mode in which it is: who else has it open does not expect it to become non-blocking.
class descriptor_input {
 public:
  // Does not close `fd`; `name` leads the messages. std::system_error: no further descriptor to be had.
  descriptor_input(int fd, std::string name);
  ~descriptor_input();
  descriptor_input(const descriptor_input&) = delete;
  descriptor_input& operator=(const descriptor_input&) = delete;

  // Appends what there is to `into`, at most `capacity` bytes; nothing at the end. Errors: ctx's, of reading.
  spool::error read(const spool::context& ctx, std::string& into, std::size_t capacity);

 private:
  const int fd_;
  const std::string name_;
  const int wake_;  // an eventfd, readable once ctx is done
};

}  // namespace command
