#include "options.hpp"

#include <getopt.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "command/count_option.hpp"
#include "command/read_options.hpp"

namespace etl {
namespace {

using command::parse_count;

constexpr std::size_t most_workers = 10'000;
constexpr std::size_t most_in_a_batch = 10'000;
constexpr std::size_t most_milliseconds = 3'600'000;

constexpr option known[] = {{"workers", required_argument, nullptr, 'w'},
                            {"batch", required_argument, nullptr, 'b'},
                            {"batch-wait", required_argument, nullptr, 'W'},
                            {"database", required_argument, nullptr, 'd'},
                            {"services", required_argument, nullptr, 's'},
                            {"unreliable", required_argument, nullptr, 'u'},
                            {"dead", required_argument, nullptr, 'x'},
                            {"latency", required_argument, nullptr, 'l'},
                            {"timeout", required_argument, nullptr, 't'},
                            {"help", no_argument, nullptr, 'h'},
                            {nullptr, 0, nullptr, 0}};

struct reading {
  options& into;
  std::string& complaint;
  bool own_services = false;  // an option was given that only makes sense with them

  bool refuse(std::string why) {
    complaint = std::move(why);
    return false;
  }

  bool milliseconds(const char* name, std::chrono::milliseconds& value) {
    std::size_t number = 0;
    if (!parse_count(name, ::optarg, most_milliseconds, number, complaint)) return false;
    value = std::chrono::milliseconds(number);
    return true;
  }

  bool percent() {
    const std::string_view text = ::optarg;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), into.unreliable_percent);
    if (failed == std::errc() && end == text.data() + text.size() && into.unreliable_percent <= 100) return true;
    return refuse("--unreliable takes a number from 0 to 100, not '" + std::string(text) + "'");
  }

  bool services() {
    std::array<http::url, field_count> urls;
    std::string_view left = ::optarg;
    for (std::size_t i = 0; i < field_count; ++i) {
      const std::size_t comma = left.find(',');
      const bool is_last = comma == left.npos;
      if (is_last != (i + 1 == field_count)) return refuse("--services takes three URLs: geo,customer,price");
      auto url = http::parse_url(left.substr(0, comma));
      if (!url) return refuse("--services: " + url.error().message());
      if (url->target.find('?') != url->target.npos) return refuse("--services: a URL without a query");
      urls[i] = std::move(*url);
      left.remove_prefix(comma == left.npos ? left.size() : comma + 1);
    }
    into.services = std::move(urls);
    return true;
  }

  bool dead() {
    const auto which = find_field(::optarg);
    if (!which) return refuse("--dead takes geo, customer or price, not '" + std::string(::optarg) + "'");
    into.dead[*which] = true;
    return true;
  }

  bool database() {
    into.database = ::optarg;
    return !into.database.empty() || refuse("--database takes a file or a postgresql:// URL");
  }

  bool take(int given) {
    own_services = own_services || given == 'u' || given == 'x' || given == 'l';
    switch (given) {
      case 'w': return parse_count("--workers", ::optarg, most_workers, into.workers, complaint);
      case 'b': return parse_count("--batch", ::optarg, most_in_a_batch, into.batch, complaint);
      case 'W': return milliseconds("--batch-wait", into.batch_wait);
      case 'd': return database();
      case 's': return services();
      case 'u': return percent();
      case 'x': return dead();
      case 'l': return milliseconds("--latency", into.latency);
      case 't': return milliseconds("--timeout", into.timeout);
      default: return false;
    }
  }
};

}  // namespace

const char* usage() noexcept {
  return "usage: etl [OPTIONS] FILE|DIR|-\n"
         "Reads events, one JSON object per line, asks three services about each, and writes each once to a database.\n"
         "  --database FILE      an SQLite database, made if it is not there (default: etl.db)\n"
         "  --database URL       a PostgreSQL server: postgresql://user@host:port/name\n"
         "  --services A,B,C     the URLs of the services geo, customer and price (default: start our own)\n"
         "  --unreliable PERCENT let so many answers of our own services fail (0 to 100, default: 0)\n"
         "  --dead NAME          let our own service geo, customer or price never answer; may be repeated\n"
         "  --latency MS         let every answer of our own services take so long\n"
         "  --timeout MS         give up an attempt to ask a service after so long (default: 1000)\n"
         "  --workers N          ask each service N questions at a time (default: 16)\n"
         "  --batch N            write N events in one transaction (default: 500)\n"
         "  --batch-wait MS      or what has come so long after the first of them (default: 50)\n"
         "Started again on the same files it goes on where the last transaction ended.\n"
         "Exit status: 0 all written, 1 lines were rejected or something failed, 2 bad usage, no such FILE; 130, 143\n"
         "stopped by SIGINT, SIGTERM: what was written stays.\n";
}

parse_result parse(int argc, char** argv, options& into, std::string& complaint) {
  reading given_so_far{.into = into, .complaint = complaint};
  const auto parsed =
      command::read_options(argc, argv, known, complaint, [&](int given) { return given_so_far.take(given); });
  if (parsed != parse_result::run) return parsed;
  if (into.services && given_so_far.own_services) {
    complaint = "--unreliable, --dead and --latency are for our own services, not for those of --services";
  } else if (argc - ::optind != 1) {
    complaint = "one FILE, DIR or - is needed";
  } else {
    into.input = argv[::optind];
    return parse_result::run;
  }
  return parse_result::bad;
}

}  // namespace etl
