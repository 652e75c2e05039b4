// A step of load and what became of its jobs.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace burst {

using clock = std::chrono::steady_clock;
using milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::chrono::milliseconds tick{1};     // the generator submits what has fallen due since the last one
constexpr std::chrono::milliseconds window{50};  // of the recovery
constexpr std::size_t most_accepted = 100'000;   // in a step

struct step {
  std::string name;
  double load = 0;  // 1: what the pool can do
  std::uint64_t offered = 0;
  std::uint64_t rejected = 0;
  double resident_mib = 0;  // at its end
  struct job {
    milliseconds due;   // since the start of the step
    milliseconds took;  // since it was due
  };
  std::vector<job> accepted = std::vector<job>(most_accepted);  // all of its memory now: what grows is the pool's
};

// The first of a measured quantity; all of its memory now, too.
class samples {
 public:
  void add(double value) {
    if (count_ < values_.size()) values_[count_++] = value;
  }
  std::vector<double> taken() const { return {values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(count_)}; }

 private:
  std::vector<double> values_ = std::vector<double>(20'000);
  std::size_t count_ = 0;
};

inline double percentile(std::vector<double> sample, double part) {
  std::sort(sample.begin(), sample.end());
  return sample.empty() ? 0 : sample[static_cast<std::size_t>(part * static_cast<double>(sample.size() - 1))];
}

inline std::vector<double> latencies_ms(const step& s, milliseconds from, milliseconds to) {
  std::vector<double> found;
  for (const step::job& j : s.accepted) {
    if (j.due >= from && j.due < to) found.push_back(j.took.count());
  }
  return found;
}

// How long after the peak a window's 99th percentile is back at what it was, give or take a half.
inline double recovery_ms(const step& before, const step& after, std::chrono::milliseconds length) {
  const double bound = 1.5 * percentile(latencies_ms(before, milliseconds(0), length), 0.99);
  for (std::chrono::milliseconds at{0}; at < length; at += window) {
    const auto sample = latencies_ms(after, at, at + window);
    if (!sample.empty() && percentile(sample, 0.99) <= bound) return milliseconds(at).count();
  }
  return milliseconds(length).count();
}

inline std::string times(double load) {
  char text[32];
  std::snprintf(text, sizeof text, "%gx", load);
  return text;
}

}  // namespace burst
