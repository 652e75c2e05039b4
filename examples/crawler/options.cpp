#include "options.hpp"

#include <getopt.h>

#include <optional>

#include "command/count_option.hpp"
#include "command/read_options.hpp"

namespace crawler {
namespace {

using command::parse_count;

constexpr std::size_t most_concurrency = 10'000;
constexpr std::size_t most_per_second = 1'000'000;
constexpr std::size_t most_milliseconds = 86'400'000;
constexpr std::size_t most_pages = 1'000'000'000;

constexpr int serve_only_flag = 'o';
constexpr option known[] = {{"concurrency", required_argument, nullptr, 'c'},
                            {"per-host-rate", required_argument, nullptr, 'r'},
                            {"timeout", required_argument, nullptr, 't'},
                            {"depth", required_argument, nullptr, 'd'},
                            {"limit", required_argument, nullptr, 'l'},
                            {"serve", required_argument, nullptr, 's'},
                            {"serve-only", no_argument, nullptr, serve_only_flag},
                            {"port", required_argument, nullptr, 'p'},
                            {"delay", required_argument, nullptr, 'w'},
                            {"help", no_argument, nullptr, 'h'},
                            {nullptr, 0, nullptr, 0}};

struct reading {
  options& into;
  std::string& complaint;
  bool serves = false;  // an option was given that only a server of our own makes use of
  bool crawls = false;  // one that only a crawl does
  std::optional<std::size_t> depth = {};

  bool count(const char* name, std::size_t most, std::size_t& value) {
    return parse_count(name, ::optarg, most, value, complaint);
  }
  bool milliseconds(const char* name, std::chrono::milliseconds& value) {
    std::size_t number = 0;
    if (!count(name, most_milliseconds, number)) return false;
    value = std::chrono::milliseconds(number);
    return true;
  }
  bool port() {
    std::size_t number = 0;
    if (!count("--port", 65'535, number)) return false;
    into.port = static_cast<std::uint16_t>(number);
    return true;
  }
  bool deepest() {
    depth = 0;
    return std::string(::optarg) == "0" || count("--depth", most_pages, *depth);
  }

  bool take(int given) {
    (given == 's' || given == serve_only_flag || given == 'p' || given == 'w' ? serves : crawls) = true;
    switch (given) {
      case 'c': return count("--concurrency", most_concurrency, into.concurrency);
      case 'r': return count("--per-host-rate", most_per_second, into.per_host_rate);
      case 't': return milliseconds("--timeout", into.timeout);
      case 'd': return deepest();
      case 'l': return count("--limit", most_pages, into.limit);
      case 's': into.directory = ::optarg; return true;
      case serve_only_flag: into.serve_only = true; return true;
      case 'p': return port();
      case 'w': return milliseconds("--delay", into.delay);
      default: return false;
    }
  }
};

}  // namespace

const char* usage() noexcept {
  return "usage: crawler [OPTIONS] [URL...|-]\n"
         "Fetches the URLs (-: lines of standard input), or crawls a directory that it serves itself on loopback.\n"
         "  --concurrency N    fetch N pages at a time (default: 16)\n"
         "  --per-host-rate N  at most N requests per second to one host (default: no limit)\n"
         "  --timeout MS       give a page up after so long (default: 10000)\n"
         "  --depth N          follow links to pages of the same host, N deep (default: 0 with URLs, else all)\n"
         "  --limit N          stop after N pages\n"
         "  --serve DIR        the directory to serve and crawl (default: /usr/share/doc)\n"
         "  --serve-only       only serve it, until a signal comes\n"
         "  --port N           serve it on this port (default: any free one)\n"
         "  --delay MS         let its server take so long for every answer\n"
         "Exit status: 0 all fetched, but for broken links; 1 some failed; 2 bad usage, no such DIR;\n"
         "130, 143 stopped by SIGINT, SIGTERM.\n";
}

parse_result parse(int argc, char** argv, options& into, std::string& complaint) {
  reading given_so_far{.into = into, .complaint = complaint};
  const auto parsed =
      command::read_options(argc, argv, known, complaint, [&](int given) { return given_so_far.take(given); });
  if (parsed != parse_result::run) return parsed;
  into.urls.assign(argv + ::optind, argv + argc);
  if (!into.urls.empty() && given_so_far.serves) complaint = "either URLs or a directory to serve, not both";
  if (into.serve_only && given_so_far.crawls) complaint = "--serve-only does not crawl";
  into.depth = given_so_far.depth.value_or(into.urls.empty() ? unlimited : 0);
  return complaint.empty() ? parse_result::run : parse_result::bad;
}

}  // namespace crawler
