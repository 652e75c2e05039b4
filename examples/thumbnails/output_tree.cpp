#include "output_tree.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace thumbnails {

namespace fs = std::filesystem;

output_tree::output_tree(std::string out, const std::string& images) : path_(std::move(out)) {
  std::error_code failure;
  fs::create_directories(path_, failure);
  struct stat info {};
  if (!failure && ::stat((path_ + "/").c_str(), &info) != 0) {
    failure.assign(errno, std::generic_category());
  }
  if (failure) {
    throw std::system_error(failure, path_);
  }
  device_ = info.st_dev;
  inode_ = info.st_ino;
  for (fs::path above = fs::canonical(images);; above = above.parent_path()) {
    if (is_same(above.string())) {
      throw std::invalid_argument("--out must not be the directory of the images, nor one above it");
    }
    if (above == above.parent_path()) {
      return;
    }
  }
}

bool output_tree::is_same(const std::string& directory) const noexcept {
  struct stat info {};
  return ::stat(directory.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

}  // namespace thumbnails
