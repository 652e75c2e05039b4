#include "options.hpp"

#include <getopt.h>

#include "command/count_option.hpp"
#include "command/read_options.hpp"

namespace digest_tree {
namespace {

using command::parse_count;

constexpr std::size_t most_workers = 1024;
constexpr std::size_t most_queued = 1'000'000;

}  // namespace

const char* usage() noexcept {
  return "usage: digest_tree DIR [--workers N] [--queue N]\n"
         "Prints the SHA-256 of every regular file below DIR, sorted by path, as sha256sum does.\n"
         "  --workers N  hash N files at a time (default: one per CPU)\n"
         "  --queue N    let at most N files wait to be hashed (default: 1024)\n"
         "Exit status: 0 all files hashed, 1 some could not be read, 2 bad usage or no such DIR.\n";
}

parse_result parse(int argc, char** argv, options& into, std::string& complaint) {
  static constexpr option known[] = {{"workers", required_argument, nullptr, 'w'},
                                     {"queue", required_argument, nullptr, 'q'},
                                     {"help", no_argument, nullptr, 'h'},
                                     {nullptr, 0, nullptr, 0}};
  const auto parsed = command::read_options(argc, argv, known, complaint, [&](int given) {
    return given == 'w' ? parse_count("--workers", ::optarg, most_workers, into.workers, complaint)
                        : parse_count("--queue", ::optarg, most_queued, into.queue_files, complaint);
  });
  if (parsed != parse_result::run) return parsed;
  if (argc - ::optind != 1) {
    complaint = argc == ::optind ? "which directory?" : "one directory at a time";
    return parse_result::bad;
  }
  into.root = argv[::optind];
  return parse_result::run;
}

}  // namespace digest_tree
