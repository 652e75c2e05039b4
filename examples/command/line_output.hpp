#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace command {

// Standard output as a buffer of whole lines. A slow reader never traps the caller in write(2), so that a
// signal ends the program while `less` waits for a key, and what was written then ends with a newline.
class line_output {
 public:
  enum class state { clear, blocked, failed };

  explicit line_output(int fd);

  void append(std::string_view whole_lines) { pending_.append(whole_lines); }

  // Worth a write: enough has gathered, or a person watches.
  bool due() const noexcept { return !pending_.empty() && (is_terminal_ || pending_.size() - written_ >= due_bytes); }

  // Writes what is pending. `blocked`: the reader has to take something first, see wait_writable().
  // `failed`: error_number() tells why.
  state write_pending();
  void wait_writable(int milliseconds) const;

  int error_number() const noexcept { return error_number_; }
  bool is_terminal() const noexcept { return is_terminal_; }
  bool is_pipe() const noexcept { return is_pipe_; }

 private:
  static constexpr std::size_t due_bytes = 64 * 1024;

  bool writable(int milliseconds) const;
  std::size_t next_chunk() const noexcept;

  std::string pending_;
  std::size_t written_ = 0;
  int fd_;
  int error_number_ = 0;
  bool is_terminal_;
  bool is_pipe_;
  bool can_block_;
};

}  // namespace command
