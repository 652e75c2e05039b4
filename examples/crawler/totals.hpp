#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace crawler {

struct totals {
  std::uint64_t pages = 0;
  std::uint64_t broken_links = 0;  // pages that a page links to and that their host says are not there
  std::uint64_t failures = 0;      // pages that could not be had otherwise
  std::uint64_t redirects = 0;
  std::uint64_t bytes = 0;
  std::uint64_t not_fetched = 0;  // found, but the crawl was stopped or its limit reached
  std::size_t in_flight = 0;
  std::size_t waiting = 0;
};

// One line for the terminal, without its end.
std::string describe(const totals& counts, std::chrono::steady_clock::duration elapsed);

// The final report, a "name: value" per line.
std::string report(const totals& counts, std::chrono::steady_clock::duration elapsed);

}  // namespace crawler
