#include "chunk_input.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace etl {
namespace {

constexpr int changed = -1;  // instead of an error number

// What stands before `offset` was read as whole lines: it ends in a newline, or the file did end there.
bool is_line_end(int fd, std::uint64_t offset) noexcept {
  struct stat info {};
  if (offset == 0) return true;
  if (::fstat(fd, &info) != 0 || static_cast<std::uint64_t>(info.st_size) < offset) return false;
  char around[2] = {0, '\n'};
  const ssize_t got = ::pread(fd, around, 2, static_cast<off_t>(offset - 1));
  return got >= 1 && (around[0] == '\n' || around[1] == '\n');
}

}  // namespace

chunk_input::~chunk_input() {
  if (file_ >= 0) ::close(file_);
}

// On a helper thread. 0, an error number or `changed`.
int chunk_input::open_at(const std::string& path, std::uint64_t offset) {
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // not waiting, should it be a pipe by now
  if (file_ < 0) return errno;
  if (!is_line_end(file_, offset)) return changed;
  return ::lseek(file_, static_cast<off_t>(offset), SEEK_SET) < 0 ? errno : 0;
}

spool::error chunk_input::open(const spool::context& ctx, const input& from, position begin) {
  if (!from.has_position) {
    input_.emplace(STDIN_FILENO, "standard input");
    return {};
  }
  const auto failed = spool::blocking(ctx, [&] { return open_at(from.name, begin.bytes); });
  if (!failed) return failed.error();
  if (*failed == changed) {
    return {std::make_error_code(std::errc::invalid_argument),
            from.name + ": has changed since " + std::to_string(begin.bytes) +
                " bytes of it were read; it may only grow"};
  }
  if (*failed != 0) {
    const std::error_code code(*failed, std::generic_category());
    return {code, from.name + ": " + code.message()};
  }
  input_.emplace(file_, from.name);
  return {};
}

spool::error chunk_input::read(const spool::context& ctx, std::string& chunk, std::size_t capacity) {
  chunk.clear();
  return input_->read(ctx, chunk, capacity);
}

}  // namespace etl
