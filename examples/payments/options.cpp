#include "options.hpp"

#include <getopt.h>

#include <charconv>
#include <string_view>

#include "command/count_option.hpp"
#include "command/read_options.hpp"

namespace payments {
namespace {

constexpr std::size_t most_workers = 10'000;
constexpr std::size_t most_queued = 1'000'000;
constexpr std::size_t most_milliseconds = 3'600'000;
constexpr std::size_t most_seconds = 3'600;

bool parse_port(std::string_view text, std::uint16_t& into, std::string& complaint) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), into);
  if (failure == std::errc{} && end == text.data() + text.size()) return true;
  complaint = "--port takes a number from 0 to 65535, not '" + std::string(text) + "'";
  return false;
}

template <class Duration>
bool parse_duration(const char* option, std::size_t most, Duration& into, std::string& complaint) {
  std::size_t count = 0;
  if (!command::parse_count(option, ::optarg, most, count, complaint)) return false;
  into = Duration(count);
  return true;
}

/// The value of the option that getopt has just found.
bool take(int given, options& into, std::string& complaint) {
  switch (given) {
    case 'p': return parse_port(::optarg, into.port, complaint);
    case 'w': return command::parse_count("--workers", ::optarg, most_workers, into.workers, complaint);
    case 'q': return command::parse_count("--queue", ::optarg, most_queued, into.queue, complaint);
    case 'd': into.database = ::optarg; return true;
    case 't': return parse_duration("--request-timeout", most_milliseconds, into.request_timeout, complaint);
    default: return parse_duration("--drain", most_seconds, into.drain_for, complaint);
  }
}

}  // namespace

const char* usage() noexcept {
  return "usage: payments [--port N] [--workers N] [--queue N] [--database FILE|postgresql://...]\n"
         "                [--request-timeout MS] [--drain SECONDS]\n"
         "Takes payments by HTTP on 127.0.0.1 and keeps each of them once in a ledger.\n"
         "  --port N              listen on port N; 0: on any free one (default: 8080)\n"
         "  --workers N           record N payments at a time (default: 256)\n"
         "  --queue N             let at most N payments wait, refuse more with 429 (default: 1000)\n"
         "  --database FILE       an SQLite database, made if it is not there (default: payments.db)\n"
         "  --database URL        a PostgreSQL server: postgresql://user@host:port/name\n"
         "  --request-timeout MS  a request must have come in whole after so long (default: 10000)\n"
         "  --drain SECONDS       how long what was accepted may take to finish at the end (default: 10)\n"
         "SIGTERM or SIGINT ends it in order, a second one at once.\n"
         "Exit status: 0 ended in order, 1 something failed or was given up, 2 bad usage.\n";
}

parse_result parse(int argc, char** argv, options& into, std::string& complaint) {
  static constexpr option known[] = {{"port", required_argument, nullptr, 'p'},
                                     {"workers", required_argument, nullptr, 'w'},
                                     {"queue", required_argument, nullptr, 'q'},
                                     {"database", required_argument, nullptr, 'd'},
                                     {"request-timeout", required_argument, nullptr, 't'},
                                     {"drain", required_argument, nullptr, 'D'},
                                     {"help", no_argument, nullptr, 'h'},
                                     {nullptr, 0, nullptr, 0}};
  const auto parsed =
      command::read_options(argc, argv, known, complaint, [&](int given) { return take(given, into, complaint); });
  if (parsed != parse_result::run) return parsed;
  if (argc != ::optind) {
    complaint = "what is '" + std::string(argv[::optind]) + "'?";
    return parse_result::bad;
  }
  return parse_result::run;
}

}  // namespace payments
