#include "chunk_input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
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
  if (is_own_) ::close(fd_);
  if (wake_ >= 0) ::close(wake_);
}

// On a helper thread. 0, an error number or `changed`.
int chunk_input::open_at(const std::string& path, std::uint64_t offset) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // not waiting, should it be a pipe by now
  if (fd_ < 0) return errno;
  is_own_ = true;
  if (!is_line_end(fd_, offset)) return changed;
  return ::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0 ? errno : 0;
}

spool::error chunk_input::open(const spool::context& ctx, const input& from, position begin) {
  name_ = from.has_position ? from.name : "standard input";
  int failed = 0;
  if (from.has_position) {
    const auto opened = spool::blocking(ctx, [&] { return open_at(from.name, begin.bytes); });
    if (!opened) return opened.error();
    failed = *opened;
  } else {
    fd_ = STDIN_FILENO;
    wake_ = ::eventfd(0, EFD_CLOEXEC);
    failed = wake_ < 0 ? errno : 0;
  }
  if (failed == 0) return {};
  if (failed == changed) {
    return {std::make_error_code(std::errc::invalid_argument),
            name_ + ": has changed since " + std::to_string(begin.bytes) + " bytes of it were read; it may only grow"};
  }
  const std::error_code code(failed, std::generic_category());
  return {code, name_ + ": " + code.message()};
}

spool::error chunk_input::read(const spool::context& ctx, std::string& chunk, std::size_t capacity) {
  chunk.resize(capacity);
  const auto got = wake_ < 0 ? spool::blocking(ctx, [&] { return read_or_wake(chunk); }) : read_until_done(ctx, chunk);
  if (!got) return got.error();
  if (got->bytes < 0 && got->error_number == 0) return ctx.err();
  if (got->bytes < 0) {
    const std::error_code code(got->error_number, std::generic_category());
    return {code, name_ + ": " + code.message()};
  }
  chunk.resize(static_cast<std::size_t>(got->bytes));
  return {};
}

spool::result<chunk_input::transfer> chunk_input::read_until_done(const spool::context& ctx, std::string& chunk) const {
  spool::wait_group calling_back;  // wake_ is ours no longer than this function runs
  calling_back.add();
  const auto stop = spool::after_func(ctx, [this, &calling_back] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(wake_, &one, sizeof one);
    calling_back.done();
  });
  auto got = spool::blocking(ctx, [&] { return read_or_wake(chunk); });
  if (stop()) calling_back.done();
  calling_back.wait();
  return got;
}

// On a helper thread. Standard input: waits until there is something to read, or until wake_ is readable, which is
// bytes < 0 and no error.
chunk_input::transfer chunk_input::read_or_wake(std::string& into) const noexcept {
  pollfd watched[] = {{fd_, POLLIN, 0}, {wake_, POLLIN, 0}};
  for (;;) {
    if (wake_ >= 0) {
      if (::poll(watched, 2, -1) < 0) {
        if (errno == EINTR) continue;
        return {-1, errno};
      }
      if (watched[1].revents != 0) return {-1, 0};
    }
    const ssize_t got = ::read(fd_, into.data(), into.size());
    if (got >= 0) return {got, 0};
    if (errno != EINTR && errno != EAGAIN) return {-1, errno};
  }
}

}  // namespace etl
