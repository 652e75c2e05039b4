#include "options.hpp"

#include <getopt.h>

#include <charconv>
#include <string_view>

namespace digest_tree {
namespace {

constexpr std::size_t most_workers = 1024;
constexpr std::size_t most_queued = 1'000'000;

bool parse_count(const char* option, std::string_view text, std::size_t most, std::size_t& into,
                 std::string& complaint) {
  std::size_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value == 0 || value > most) {
    complaint =
        std::string(option) + " takes a number from 1 to " + std::to_string(most) + ", not '" + std::string(text) + "'";
    return false;
  }
  into = value;
  return true;
}

// getopt_long steps past a long option it refuses, but stays inside a cluster of short ones.
std::string offender(std::string_view previous) {
  return previous.starts_with("--") ? std::string(previous) : std::string{'-', static_cast<char>(::optopt)};
}

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
  ::opterr = 0;
  for (int given = 0; (given = ::getopt_long(argc, argv, ":h", known, nullptr)) != -1;) {
    switch (given) {
      case 'w':
        if (!parse_count("--workers", ::optarg, most_workers, into.workers, complaint)) {
          return parse_result::bad;
        }
        break;
      case 'q':
        if (!parse_count("--queue", ::optarg, most_queued, into.queue_files, complaint)) {
          return parse_result::bad;
        }
        break;
      case 'h': return parse_result::help;
      case ':': complaint = std::string(argv[::optind - 1]) + " needs a number"; return parse_result::bad;
      default: complaint = "unknown option '" + offender(argv[::optind - 1]) + "'"; return parse_result::bad;
    }
  }
  if (argc - ::optind != 1) {
    complaint = argc == ::optind ? "which directory?" : "one directory at a time";
    return parse_result::bad;
  }
  into.root = argv[::optind];
  return parse_result::run;
}

}  // namespace digest_tree
