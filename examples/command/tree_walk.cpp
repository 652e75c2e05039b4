#include "tree_walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

namespace command {
namespace {

struct close_dir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};
using dir_handle = std::unique_ptr<DIR, close_dir>;

// O_NOFOLLOW: a directory that has become a symbolic link since it was listed must not lead out of the tree.
dir_handle open_dir(const char* path) noexcept {
  const int fd = ::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return nullptr;
  }
  dir_handle dir{::fdopendir(fd)};
  if (!dir) {
    const int why = errno;
    ::close(fd);
    errno = why;
  }
  return dir;
}

// Some file systems do not tell the type with the name.
unsigned char type_of(DIR& dir, const dirent& entry) noexcept {
  if (entry.d_type != DT_UNKNOWN) {
    return entry.d_type;
  }
  struct stat info {};
  if (::fstatat(::dirfd(&dir), entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return DT_UNKNOWN;
  }
  return S_ISREG(info.st_mode) ? DT_REG : S_ISDIR(info.st_mode) ? DT_DIR : DT_UNKNOWN;
}

bool is_dot_or_dot_dot(const char* name) noexcept {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

}  // namespace

tree_walk::tree_walk(std::string root) : path_(std::move(root)) {
  struct stat info {};
  if (::lstat(path_.c_str(), &info) != 0) {
    throw std::system_error(errno, std::generic_category(), path_);
  }
  if (S_ISREG(info.st_mode)) {
    root_ = root_kind::file;
  } else if (S_ISDIR(info.st_mode)) {
    root_ = root_kind::directory;
  }
}

tree_walk::step tree_walk::next() {
  switch (std::exchange(root_, root_kind::done)) {
    case root_kind::file: return step::file;
    case root_kind::directory: return enter_directory();
    case root_kind::other:
    case root_kind::done: break;
  }
  while (depth_ > 0) {
    directory& level = levels_[depth_ - 1];
    if (level.next == level.order.size()) {
      --depth_;
      continue;
    }
    path_.resize(level.path_bytes, '/');
    path_.append(level.names.c_str() + level.order[level.next++]);
    if (path_.back() != '/') {
      return step::file;
    }
    path_.pop_back();
    return enter_directory();
  }
  return step::end;
}

// Makes the directory path_ the innermost level.
tree_walk::step tree_walk::enter_directory() {
  if (depth_ == levels_.size()) {
    levels_.emplace_back();
  }
  directory& level = levels_[depth_++];
  error_number_ = list(level);
  sort(level);
  level.path_bytes = path_.size() + (path_.back() == '/' ? 0 : 1);
  return error_number_ == 0 ? step::directory : step::unreadable;
}

// Returns 0 or errno; what was read before a failure is kept.
int tree_walk::list(directory& into) const {
  into.names.clear();
  into.order.clear();
  into.next = 0;
  const dir_handle dir = open_dir(path_.c_str());
  if (!dir) {
    return errno;
  }
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(dir.get());
    if (entry == nullptr) {
      return errno;
    }
    const unsigned char type = type_of(*dir, *entry);
    if ((type != DT_REG && type != DT_DIR) || is_dot_or_dot_dot(entry->d_name)) {
      continue;
    }
    into.order.push_back(into.names.size());
    into.names.append(entry->d_name);
    if (type == DT_DIR) {
      into.names.push_back('/');
    }
    into.names.push_back('\0');
  }
}

void tree_walk::sort(directory& listed) {
  // strcmp compares as unsigned char, whatever the locale and the sign of char: the order of LC_ALL=C.
  const char* const names = listed.names.c_str();
  std::sort(listed.order.begin(), listed.order.end(),
            [names](std::size_t a, std::size_t b) { return std::strcmp(names + a, names + b) < 0; });
}

}  // namespace command
