#include "totals.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace crawler {
namespace {

double seconds_of(std::chrono::steady_clock::duration elapsed) {
  return std::max(std::chrono::duration<double>(elapsed).count(), 1e-6);
}

template <class... Args>
std::string formatted(const char* format, Args... args) {
  std::array<char, 256> text;
  const int length = std::snprintf(text.data(), text.size(), format, args...);
  return {text.data(), std::min(static_cast<std::size_t>(length), text.size() - 1)};
}

using number = unsigned long long;

}  // namespace

std::string describe(const totals& counts, std::chrono::steady_clock::duration elapsed) {
  return formatted("%llu pages, %llu broken links, %llu failures, %.0f pages/s, %zu in flight, %zu waiting",
                   number{counts.pages}, number{counts.broken_links}, number{counts.failures},
                   static_cast<double>(counts.pages) / seconds_of(elapsed), counts.in_flight, counts.waiting);
}

std::string report(const totals& counts, std::chrono::steady_clock::duration elapsed) {
  const double seconds = seconds_of(elapsed);
  std::string text = formatted("pages: %llu\nbroken links: %llu\nfailures: %llu\nredirects: %llu\nbytes: %llu\n",
                               number{counts.pages}, number{counts.broken_links}, number{counts.failures},
                               number{counts.redirects}, number{counts.bytes});
  if (counts.not_fetched > 0) text += formatted("not fetched: %llu\n", number{counts.not_fetched});
  return text + formatted("seconds: %.3f\npages/s: %.1f\n", seconds, static_cast<double>(counts.pages) / seconds);
}

}  // namespace crawler
