#include "inputs.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

#include "command/tree_walk.hpp"

namespace etl {
namespace {

spool::error failure(int error_number, const std::string& path) {
  const std::error_code code(error_number, std::generic_category());
  return {code, path + ": " + code.message()};
}

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> found(::realpath(path.c_str(), nullptr), &std::free);
  return found == nullptr ? std::string() : std::string(found.get());
}

bool belongs_to(const std::string& database, const std::string& path) {
  if (database.empty() || !path.starts_with(database)) return false;
  const std::string_view ending = std::string_view(path).substr(database.size());
  return ending.empty() || ending == "-wal" || ending == "-shm" || ending == "-journal";
}

spool::result<std::vector<input>> find_below(const std::string& directory, const std::string& database) {
  std::vector<input> found;
  for (command::tree_walk walk(directory);;) {
    switch (walk.next()) {
      case command::tree_walk::step::end: return found;
      case command::tree_walk::step::directory: continue;
      case command::tree_walk::step::unreadable: return failure(walk.error_number(), walk.path());
      case command::tree_walk::step::file: break;
    }
    struct stat info {};
    if (::stat(walk.path().c_str(), &info) != 0) return failure(errno, walk.path());
    if (!belongs_to(database, walk.path())) found.push_back({walk.path(), static_cast<std::uint64_t>(info.st_size)});
  }
}

}  // namespace

spool::result<std::vector<input>> find_inputs(const std::string& path, const std::string& database) {
  if (path == "-") return std::vector<input>{{.name = path, .has_position = false}};
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return failure(errno, path);
  std::string real = real_path(path);
  if (real.empty()) return failure(errno, path);
  if (S_ISDIR(info.st_mode)) return find_below(real, real_path(database));
  if (S_ISREG(info.st_mode)) return std::vector<input>{{std::move(real), static_cast<std::uint64_t>(info.st_size)}};
  return spool::error(std::make_error_code(std::errc::invalid_argument),
                      path + ": neither a file nor a directory; '-' reads from a pipe");
}

}  // namespace etl
