#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace command {

// Finds the regular files at and below a path, as `find PATH -type f` does, already in the order in which
// `LC_ALL=C sort -z` puts the full paths. Symbolic links are not followed, except in PATH itself when it
// ends in a slash.
//
// The order needs no list of the whole tree: paths compare byte by byte and '/' (0x2f) is one of the
// bytes, so siblings are sorted with a directory taken as its name + '/'. "a.b" < "a/b" < "a0" then holds
// between a file, all that is below a directory, and the next file. Held in memory are the names of one
// directory per level; no directory stays open, so a deep tree needs no descriptors.
class tree_walk {
 public:
  enum class step { file, directory, unreadable, end };

  // Throws std::system_error when nothing can be found at `root`.
  explicit tree_walk(std::string root);

  // Moves on. After `file` path() names a regular file, after `directory` one whose files come next;
  // after `unreadable` path() names what could not be listed in full, for the reason error_number(), and
  // the walk goes on with what it got.
  step next();
  // After `directory` only: nothing below it is visited.
  void leave() noexcept { --depth_; }

  const std::string& path() const noexcept { return path_; }
  int error_number() const noexcept { return error_number_; }

 private:
  enum class root_kind { file, directory, other, done };
  struct directory {
    std::string names;               // "file\0" or "subdirectory/\0"; order_ refers to it
    std::vector<std::size_t> order;  // where each name starts; sorted, visited from next on
    std::size_t next = 0;
    std::size_t path_bytes = 0;  // length of the path in front of the names, slash included
  };

  step enter_directory();
  int list(directory& into) const;
  static void sort(directory& listed);

  std::string path_;
  std::vector<directory> levels_;  // kept beyond depth_: a level's buffers serve the next directory there
  std::size_t depth_ = 0;
  int error_number_ = 0;
  root_kind root_ = root_kind::other;
};

}  // namespace command
