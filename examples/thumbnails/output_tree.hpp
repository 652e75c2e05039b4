#pragma once

#include <sys/types.h>

#include <string>

namespace thumbnails {

// Where the thumbnails go, so that none is ever taken for an image or written over one.
class output_tree {
 public:
  // Makes the directory. Throws std::system_error; std::invalid_argument if `out` is `images` or a directory above it:
  // a thumbnail could then replace an image.
  output_tree(std::string out, const std::string& images);

  // `directory` is this one, under whatever name: a walk has to leave it out.
  bool is_same(const std::string& directory) const noexcept;
  std::string path_of(const std::string& relative) const { return path_ + "/" + relative; }

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace thumbnails
