#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace thumbnails {

// A file open for reading. Its functions may wait for a disk; they return 0 or errno.
class input_file {
 public:
  input_file() = default;
  ~input_file();
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;

  // Regular files only, and no symbolic link: the name may mean something else than when it was found.
  [[nodiscard]] int open(const std::string& path);
  std::size_t size_bytes() const noexcept { return size_bytes_; }

  static constexpr int gave_up = -1;
  // All of the size_bytes() that open() saw: EIO if the file has become shorter. gave_up: go_on() said so.
  [[nodiscard]] int read(std::string& into, const std::function<bool()>& go_on) const;

 private:
  int fd_ = -1;
  std::size_t size_bytes_ = 0;
};

// Writes a file so that `path` names all of it or what it named before, whenever we are stopped: a temporary file next to
// it, then rename(2). Makes the directories it needs. Not synchronized to the disk: a thumbnail can be made again.
// May wait for a disk. Returns 0 or errno.
[[nodiscard]] int write_whole(const std::string& path, std::string_view bytes);

// What the temporary files of write_whole() are called, followed by six letters. After a kill -9 one may be left over.
inline constexpr std::string_view temporary_prefix = ".thumbnail-";

}  // namespace thumbnails
