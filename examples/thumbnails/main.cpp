// Scenario: a CPU-heavy batch over real files: a thumbnail of every image below a directory. As many images are decoded
// and scaled as there are cores, others are read and written meanwhile, and memory stays bounded whatever is slow.

#include <malloc.h>

#include <cstdio>
#include <optional>
#include <spool/spool.hpp>
#include <stdexcept>
#include <string>
#include <system_error>

#include "batch.hpp"
#include "command/complaint.hpp"
#include "command/exit_status.hpp"
#include "command/run_main.hpp"
#include "command/tree_walk.hpp"
#include "options.hpp"
#include "output_tree.hpp"

namespace {

using namespace thumbnails;
namespace exit_status = command::exit_status;

// Says why and returns nothing when a directory cannot be used.
template <class T, class... Arguments>
std::optional<T> open_directory(const std::string& name, const Arguments&... arguments) {
  try {
    return std::optional<T>(std::in_place, name, arguments...);
  } catch (const std::system_error& failure) {
    std::string line;
    command::append_complaint(line, "thumbnails", name, failure.code().value());
    std::fputs(line.c_str(), stderr);
  } catch (const std::invalid_argument& misuse) {
    std::fprintf(stderr, "thumbnails: %s\n%s", misuse.what(), usage());
  }
  return std::nullopt;
}

int run(const options& chosen) {
  // With a slash a symbolic link to a directory is followed, and a file is none.
  const std::string root = chosen.root + (chosen.root.ends_with('/') ? "" : "/");
  auto walk = open_directory<command::tree_walk>(root);
  if (!walk) {
    return exit_status::bad_usage;
  }
  const auto out = open_directory<output_tree>(chosen.out, root);
  if (!out) {
    return exit_status::bad_usage;
  }
  spool::runtime runtime({.name = "thumbnails"});
  return runtime.run([&] { return make_thumbnails(*walk, root.size(), *out, chosen); });
}

}  // namespace

int main(int argc, char** argv) {
  // Whole files and images come and go. In glibc's arenas they would leave holes, more the longer we run.
  ::mallopt(M_MMAP_THRESHOLD, 512 * 1024);
  return command::run_main("thumbnails", argc, argv, thumbnails::parse, thumbnails::usage, run);
}
