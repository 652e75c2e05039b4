#include "line_output.hpp"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace command {

line_output::line_output(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1) {
  struct stat info {};
  const bool known = ::fstat(fd, &info) == 0;
  is_pipe_ = known && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
  can_block_ = is_pipe_ || is_terminal_;
}

line_output::state line_output::write_pending() {
  while (written_ < pending_.size()) {
    if (can_block_ && !writable(0)) {
      return state::blocked;
    }
    const ssize_t wrote = ::write(fd_, pending_.data() + written_, next_chunk());
    if (wrote >= 0) {
      written_ += static_cast<std::size_t>(wrote);
    } else if (errno == EAGAIN) {
      return state::blocked;
    } else if (errno != EINTR) {
      error_number_ = errno;
      return state::failed;
    }
  }
  pending_.clear();
  written_ = 0;
  return state::clear;
}

void line_output::wait_writable(int milliseconds) const { static_cast<void>(writable(milliseconds)); }

bool line_output::writable(int milliseconds) const {
  // An error or a hang-up counts as writable: write(2) will tell which it is.
  pollfd watched{fd_, POLLOUT, 0};
  return ::poll(&watched, 1, milliseconds) > 0;
}

// A pipe that polls writable takes PIPE_BUF bytes at once and whole; more might wait, or be cut off in
// the middle of a line when we are told to stop. So the lines that fit go, or one line that is too long.
std::size_t line_output::next_chunk() const noexcept {
  const std::string_view rest = std::string_view(pending_).substr(written_);
  if (!can_block_ || rest.size() <= PIPE_BUF) {
    return rest.size();
  }
  const std::size_t last = rest.rfind('\n', PIPE_BUF - 1);
  return (last != std::string_view::npos ? last : rest.find('\n')) + 1;
}

}  // namespace command
