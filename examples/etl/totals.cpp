#include "totals.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>

namespace etl {
namespace {

constexpr int bar_columns = 24;

double seconds_of(std::chrono::steady_clock::duration elapsed) {
  return std::max(std::chrono::duration<double>(elapsed).count(), 1e-6);
}

template <class... Args>
std::string formatted(const char* format, Args... args) {
  std::array<char, 256> text;
  const int length = std::snprintf(text.data(), text.size(), format, args...);
  return {text.data(), std::min(static_cast<std::size_t>(length), text.size() - 1)};
}

const char* name_of(spool::circuit_state state) {
  switch (state) {
    case spool::circuit_state::closed: return "closed";
    case spool::circuit_state::open: return "open";
    case spool::circuit_state::half_open: return "half-open";
  }
  return "?";
}

std::string bar(double done) {
  const double share = std::clamp(done, 0.0, 1.0);
  const int filled = static_cast<int>(share * bar_columns);
  return "[" + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(bar_columns - filled), '.') +
         formatted("] %3d %% ", static_cast<int>(share * 100));
}

using number = unsigned long long;

}  // namespace

std::string describe(const totals& counts, double done, std::chrono::steady_clock::duration elapsed) {
  std::string text = done < 0 ? std::string() : bar(done);
  text += formatted("%llu events, %.0f/s", number{counts.events()},
                    static_cast<double>(counts.events()) / seconds_of(elapsed));
  if (counts.rejected > 0) text += formatted(", %llu rejected", number{counts.rejected});
  for (std::size_t i = 0; i < field_count; ++i) {
    if (counts.degraded[i] == 0) continue;
    text.append(", no ").append(fields[i].service).append(formatted(" %llu", number{counts.degraded[i]}));
  }
  return text;
}

std::string report(const totals& counts, const std::array<service_report, field_count>& services,
                   std::chrono::steady_clock::duration elapsed) {
  std::string text;
  if (counts.earlier_lines > 0) text += formatted("lines of earlier runs: %llu\n", number{counts.earlier_lines});
  text += formatted("events: %llu\nrows: %llu\nduplicates: %llu\nrejected: %llu\n", number{counts.events()},
                    number{counts.rows}, number{counts.duplicates}, number{counts.rejected});
  for (std::size_t i = 0; i < field_count; ++i) {
    const service_report& s = services[i];
    text.append(fields[i].service).append(": ");
    text += formatted("%llu degraded, %llu retries, breaker %s, opened %llu times\n", number{counts.degraded[i]},
                      number{s.retries}, name_of(s.state), number{s.times_opened});
  }
  const double seconds = seconds_of(elapsed);
  return text + formatted("seconds: %.3f\nevents/s: %.1f\n", seconds, static_cast<double>(counts.events()) / seconds);
}

}  // namespace etl
