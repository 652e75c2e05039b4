#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace thumbnails {

// These may wait for a disk; they return 0 or errno.

// The size of a file, if it is a regular one.
[[nodiscard]] int find_size(const std::string& path, std::size_t& bytes);

// Reads a file of `bytes` bytes; EIO if that is not its size any more. gave_up: go_on() said so.
inline constexpr int gave_up = -1;
[[nodiscard]] int read_whole(const std::string& path, std::size_t bytes, std::string& into,
                             const std::function<bool()>& go_on);

// Writes a file so that `path` names all of it or what it named before, whenever we are stopped: a temporary file
// next to it, then rename(2). Makes the directories it needs. Not synchronized to the disk: a thumbnail can be made
// again.
[[nodiscard]] int write_whole(const std::string& path, std::string_view bytes);

// What the temporary files of write_whole() start with. After a kill -9 some may be left over.
inline constexpr std::string_view temporary_prefix = ".thumbnail-";

}  // namespace thumbnails
