#include "file_io.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

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

// mkostemp makes files for their owner only; a thumbnail is as public as any file that is made here.
int give_usual_mode(int fd) {
  static const mode_t mask = [] {
    const mode_t current = ::umask(077);
    ::umask(current);
    return current;
  }();
  return ::fchmod(fd, 0666 & ~mask) == 0 ? 0 : errno;
}

}  // namespace

input_file::~input_file() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

int input_file::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
  struct stat info {};
  if (fd_ < 0 || ::fstat(fd_, &info) != 0) {
    return errno;
  }
  if (!S_ISREG(info.st_mode)) {
    return S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
  }
  size_bytes_ = static_cast<std::size_t>(info.st_size);
  return 0;
}

int input_file::read(std::string& into, const std::function<bool()>& go_on) const {
  constexpr std::size_t piece_bytes = 1024 * 1024;
  into.resize(size_bytes_);
  for (std::size_t done = 0; done < into.size();) {
    if (!go_on()) {
      return gave_up;
    }
    const ssize_t got = ::read(fd_, into.data() + done, std::min(piece_bytes, into.size() - done));
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
  std::string temporary = path.substr(0, path.rfind('/') + 1).append(temporary_prefix).append("XXXXXX");
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) {
    return errno;
  }
  int failure = write_all(fd, bytes);
  if (failure == 0) {
    failure = give_usual_mode(fd);
  }
  if (::close(fd) != 0 && failure == 0) {
    failure = errno;
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
