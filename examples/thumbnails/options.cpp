#include "options.hpp"

#include <getopt.h>

#include "command/count_option.hpp"
#include "command/read_options.hpp"

namespace thumbnails {
namespace {

constexpr std::size_t most_pixels = 2048;
constexpr std::size_t most_workers = 1024;
constexpr std::size_t most_queued = 10'000;

bool take_directory(const char* option, const char* given, std::string& into, std::string& complaint) {
  into = given;
  if (into.empty()) {
    complaint = std::string(option) + " takes a directory, not ''";
  }
  return !into.empty();
}

}  // namespace

const char* usage() noexcept {
  return "usage: thumbnails DIR [--out DIR] [--size PIXELS] [--workers N] [--queue N]\n"
         "Makes a thumbnail of every JPEG and PNG image below DIR and lists them, sorted by path.\n"
         "  --out DIR      put them there, under the paths that the images have (default: thumbnails)\n"
         "  --size PIXELS  their longest side (default: 256); smaller images keep their size\n"
         "  --workers N    decode and scale N images at a time (default: one per CPU)\n"
         "  --queue N      let at most N more be read, wait for a worker, or be written (default: 32)\n"
         "Exit status: 0 all made, 1 some could not be read, made or written, 2 bad usage or no such DIR.\n";
}

parse_result parse(int argc, char** argv, options& into, std::string& complaint) {
  static constexpr option known[] = {
      {"out", required_argument, nullptr, 'o'},     {"size", required_argument, nullptr, 's'},
      {"workers", required_argument, nullptr, 'w'}, {"queue", required_argument, nullptr, 'q'},
      {"help", no_argument, nullptr, 'h'},          {nullptr, 0, nullptr, 0}};
  const auto parsed = command::read_options(argc, argv, known, complaint, [&](int given) {
    switch (given) {
      case 'o': return take_directory("--out", ::optarg, into.out, complaint);
      case 's': return command::parse_count("--size", ::optarg, most_pixels, into.longest_side, complaint);
      case 'w': return command::parse_count("--workers", ::optarg, most_workers, into.workers, complaint);
      default: return command::parse_count("--queue", ::optarg, most_queued, into.queue_images, complaint);
    }
  });
  if (parsed != parse_result::run) return parsed;
  if (argc - ::optind != 1) {
    complaint = argc == ::optind ? "which directory?" : "one directory at a time";
    return parse_result::bad;
  }
  return take_directory("DIR", argv[::optind], into.root, complaint) ? parse_result::run : parse_result::bad;
}

}  // namespace thumbnails
