#include "line_input.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace crawler {
namespace {

constexpr std::size_t chunk_bytes = 64 * 1024;
constexpr std::size_t longest_line_bytes = 64 * 1024;

struct transfer {
  ssize_t bytes;
  int error_number;
};

// Waits until `fd` has something to read or `wake` is readable. Bytes < 0 and no error: woken.
transfer read_or_wake(int fd, int wake, char* into) noexcept {
  pollfd watched[] = {{fd, POLLIN, 0}, {wake, POLLIN, 0}};
  for (;;) {
    if (::poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return {-1, errno};
    }
    if (watched[1].revents != 0) return {-1, 0};
    const ssize_t got = ::read(fd, into, chunk_bytes);
    if (got >= 0) return {got, 0};
    if (errno != EINTR && errno != EAGAIN) return {-1, errno};
  }
}

}  // namespace

line_input::line_input(int fd) : fd_(fd), wake_(::eventfd(0, EFD_CLOEXEC)) {
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

line_input::~line_input() { ::close(wake_); }

spool::result<std::optional<std::string>> line_input::next(const spool::context& ctx) {
  for (std::size_t searched = taken_;;) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != buffer_.npos || (at_end_ && taken_ < buffer_.size())) {
      std::string line = buffer_.substr(taken_, end == buffer_.npos ? end : end - taken_);
      taken_ = end == buffer_.npos ? buffer_.size() : end + 1;
      return std::optional(std::move(line));
    }
    if (at_end_) return std::optional<std::string>();
    buffer_.erase(0, std::exchange(taken_, 0));
    searched = buffer_.size();
    if (searched > longest_line_bytes) {
      return spool::error(std::make_error_code(std::errc::message_size), "standard input: a line of more than 64 KiB");
    }
    if (spool::error failed = read_more(ctx)) return failed;
  }
}

spool::error line_input::read_more(const spool::context& ctx) {
  spool::wait_group calling_back;  // wake_ is ours no longer than this function runs
  calling_back.add();
  auto stop = spool::after_func(ctx, [this, &calling_back] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(wake_, &one, sizeof one);
    calling_back.done();
  });
  const std::size_t had = buffer_.size();
  buffer_.resize(had + chunk_bytes);
  const auto got = spool::blocking(ctx, [&] { return read_or_wake(fd_, wake_, buffer_.data() + had); });
  if (stop()) calling_back.done();
  calling_back.wait();
  buffer_.resize(had + (got && got->bytes > 0 ? static_cast<std::size_t>(got->bytes) : 0));
  if (!got) return got.error();
  if (got->bytes < 0) {
    return got->error_number == 0
               ? ctx.err()
               : spool::error(std::error_code(got->error_number, std::generic_category()),
                              "standard input: " + std::generic_category().message(got->error_number));
  }
  at_end_ = got->bytes == 0;
  return {};
}

}  // namespace crawler
