#include "options.hpp"

#include <getopt.h>

#include <charconv>
#include <string_view>

#include "command/count_option.hpp"
#include "command/read_options.hpp"

namespace orders {
namespace {

using command::parse_count;

constexpr std::size_t most_per_second = 10'000'000;
constexpr std::size_t most_seconds = 3600;
constexpr std::size_t most_orders = 200'000'000;  // the generator keeps four bytes of each
constexpr std::size_t most_symbols = 10'000;
constexpr std::size_t most_connections = 1000;

bool parse_port(std::string_view text, std::uint16_t& into) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), into);
  return failure == std::errc{} && end == text.data() + text.size();
}

bool parse_address(std::string_view text, options& into) {
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon == 0 || colon == std::string_view::npos || !parse_port(text.substr(colon + 1), port) || port == 0) {
    return false;
  }
  into.host = text.substr(0, colon);
  into.to_port = text.substr(colon + 1);
  return true;
}

bool take_role(options::role wanted, options& into, std::string& complaint) {
  if (into.part != options::role::both && into.part != wanted) {
    complaint = "either --serve or --connect";
    return false;
  }
  into.part = wanted;
  return true;
}

bool take(int given, const char* value, options& into, std::string& complaint) {
  switch (given) {
    case 's': return take_role(options::role::serve, into, complaint);
    case 'p':
      complaint = "--port takes a number from 0 to 65535, not '" + std::string(value) + "'";
      return parse_port(value, into.port);
    case 'c':
      if (!take_role(options::role::connect, into, complaint)) return false;
      complaint = "--connect takes HOST:PORT, not '" + std::string(value) + "'";
      return parse_address(value, into);
    case 'r': return parse_count("--rate", value, most_per_second, into.load.per_second, complaint);
    case 't': return parse_count("--seconds", value, most_seconds, into.load.seconds, complaint);
    case 'y': return parse_count("--symbols", value, most_symbols, into.load.symbols, complaint);
    default: return parse_count("--connections", value, most_connections, into.load.connections, complaint);
  }
}

}  // namespace

const char* usage() noexcept {
  return "usage: orders [--rate N] [--seconds S] [--connections N] [--symbols N]\n"
         "       orders --serve [--port N] [--symbols N]\n"
         "       orders --connect HOST:PORT [--rate N] [--seconds S] [--connections N] [--symbols N]\n"
         "An exchange behind a TCP port, and the load for it; without --serve and --connect both in one process.\n"
         "  --rate N         offer N orders a second, answered or not (default: 50000)\n"
         "  --seconds S      for S seconds (default: 5)\n"
         "  --connections N  over N connections (default: 1)\n"
         "  --symbols N      trade N symbols (default: 16)\n"
         "  --port N         listen on port N of loopback (default: 0, one that is free)\n"
         "Exit status: 0, 1 an order was lost or something failed, 2 bad usage.\n";
}

parse_result parse(int argc, char** argv, options& into, std::string& complaint) {
  static constexpr option known[] = {{"serve", no_argument, nullptr, 's'},
                                     {"port", required_argument, nullptr, 'p'},
                                     {"connect", required_argument, nullptr, 'c'},
                                     {"rate", required_argument, nullptr, 'r'},
                                     {"seconds", required_argument, nullptr, 't'},
                                     {"symbols", required_argument, nullptr, 'y'},
                                     {"connections", required_argument, nullptr, 'n'},
                                     {"help", no_argument, nullptr, 'h'},
                                     {nullptr, 0, nullptr, 0}};
  const auto parsed = command::read_options(
      argc, argv, known, complaint, [&](int given) { return take(given, ::optarg, into, complaint); });
  if (parsed != parse_result::run) return parsed;
  if (::optind < argc) {
    complaint = "what is '" + std::string(argv[::optind]) + "'?";
    return parse_result::bad;
  }
  if (into.load.per_second * into.load.seconds > most_orders) {
    complaint = "at most " + std::to_string(most_orders) + " orders: --rate times --seconds";
    return parse_result::bad;
  }
  return parse_result::run;
}

}  // namespace orders
