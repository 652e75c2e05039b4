#include "file_io.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace thumbnails {
namespace {

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

// The directories above the last slash of `path`. Others may make them at the same time.
int make_directories(const std::string& path) {
  for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (::mkdir(path.substr(0, slash).c_str(), 0777) != 0 && errno != EEXIST) {
      return errno;
    }
  }
  return 0;
}

class descriptor {
 public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const noexcept { return fd_; }
  int close() noexcept { return ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno; }

 private:
  int fd_;
};

int size_of(const struct stat& info, std::size_t& bytes) {
  if (!S_ISREG(info.st_mode)) {
    return S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
  }
  bytes = static_cast<std::size_t>(info.st_size);
  return 0;
}

// A new file next to `path`. Not by mkostemp: that makes files for their owner only, and a thumbnail is to be as
// public as the umask says.
int create_temporary(const std::string& path, std::string& temporary) {
  static std::atomic<unsigned long> next{0};
  const std::string start =
      path.substr(0, path.rfind('/') + 1).append(temporary_prefix).append(std::to_string(::getpid())).append("-");
  for (;;) {
    temporary = start + std::to_string(next.fetch_add(1, std::memory_order_relaxed));
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd >= 0 || errno != EEXIST) {
      return fd;
    }
  }
}

}  // namespace

int find_size(const std::string& path, std::size_t& bytes) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? size_of(info, bytes) : errno;
}

int read_whole(const std::string& path, std::size_t bytes, std::string& into, const std::function<bool()>& go_on) {
  // The name may mean something else by now: a FIFO must not hold us, a symbolic link is not followed.
  const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
    return errno;
  }
  std::size_t bytes_now = 0;
  if (const int failure = size_of(info, bytes_now)) {
    return failure;
  }
  if (bytes_now != bytes) {
    return EIO;
  }
  constexpr std::size_t piece_bytes = 1024 * 1024;
  into.resize(bytes);
  for (std::size_t done = 0; done < bytes;) {
    if (!go_on()) {
      return gave_up;
    }
    const ssize_t got = ::read(file.get(), into.data() + done, std::min(piece_bytes, bytes - done));
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (got == 0) {
      return EIO;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int write_whole(const std::string& path, std::string_view bytes) {
  if (const int failure = make_directories(path)) {
    return failure;
  }
  std::string temporary;
  descriptor file(create_temporary(path, temporary));
  if (file.get() < 0) {
    return errno;
  }
  int failure = write_all(file.get(), bytes);
  if (const int closing = file.close(); failure == 0) {
    failure = closing;
  }
  if (failure == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) {
    failure = errno;
  }
  if (failure != 0) {
    ::unlink(temporary.c_str());
  }
  return failure;
}

}  // namespace thumbnails
