#include "descriptor_input.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace command {
namespace {

struct transfer {
  ssize_t bytes;
  int error_number;
};

// Waits until `fd` has something to read or `wake` is readable. Bytes < 0 and no error: woken.
transfer read_or_wake(int fd, int wake, char* into, std::size_t capacity) noexcept {
  pollfd watched[] = {{fd, POLLIN, 0}, {wake, POLLIN, 0}};
  for (;;) {
    if (::poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return {-1, errno};
    }
    if (watched[1].revents != 0) return {-1, 0};
    const ssize_t got = ::read(fd, into, capacity);
    if (got >= 0) return {got, 0};
    if (errno != EINTR && errno != EAGAIN) return {-1, errno};
  }
}

}  // namespace

descriptor_input::descriptor_input(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), wake_(::eventfd(0, EFD_CLOEXEC)) {
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

descriptor_input::~descriptor_input() { ::close(wake_); }

spool::error descriptor_input::read(const spool::context& ctx, std::string& into, std::size_t capacity) {
  spool::wait_group calling_back;  // wake_ is ours no longer than this function runs
  calling_back.add();
  const auto stop = spool::after_func(ctx, [this, &calling_back] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(wake_, &one, sizeof one);
    calling_back.done();
  });
  const std::size_t had = into.size();
  into.resize(had + capacity);
  const auto got = spool::blocking(ctx, [&] { return read_or_wake(fd_, wake_, into.data() + had, capacity); });
  if (stop()) calling_back.done();
  calling_back.wait();
  into.resize(had + (got && got->bytes > 0 ? static_cast<std::size_t>(got->bytes) : 0));
  if (!got) return got.error();
  if (got->bytes >= 0) return {};
  if (got->error_number == 0) return ctx.err();
  const std::error_code code(got->error_number, std::generic_category());
  return {code, name_ + ": " + code.message()};
}

}  // namespace command
