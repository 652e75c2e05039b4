#include "read_options.hpp"

#include <getopt.h>

#include <cstdio>
#include <string_view>

#include "exit_status.hpp"

namespace command {
namespace {

// getopt_long steps past a long option it refuses, but stays inside a cluster of short ones.
std::string refused_option(std::string_view previous) {
  return previous.starts_with("--") ? std::string(previous) : std::string{'-', static_cast<char>(::optopt)};
}

}  // namespace

parse_result read_options(int argc, char** argv, const ::option* known, std::string& complaint,
                          const std::function<bool(int)>& take) {
  ::opterr = 0;
  ::optind = 0;  // from the start, also when called again
  for (int given = 0; (given = ::getopt_long(argc, argv, ":h", known, nullptr)) != -1;) {
    switch (given) {
      case 'h': return parse_result::help;
      case ':': complaint = std::string(argv[::optind - 1]) + " needs a value"; return parse_result::bad;
      case '?': complaint = "unknown option '" + refused_option(argv[::optind - 1]) + "'"; return parse_result::bad;
      default:
        if (!take(given)) return parse_result::bad;
    }
  }
  return parse_result::run;
}

std::optional<int> status_without_running(parse_result parsed, const char* program, const std::string& complaint,
                                          const char* usage) {
  switch (parsed) {
    case parse_result::help: return std::fputs(usage, stdout) >= 0 ? exit_status::success : exit_status::some_failed;
    case parse_result::bad:
      std::fprintf(stderr, "%s: %s\n%s", program, complaint.c_str(), usage);
      return exit_status::bad_usage;
    case parse_result::run: break;
  }
  return std::nullopt;
}

}  // namespace command
