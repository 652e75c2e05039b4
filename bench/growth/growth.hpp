// What the growth programs share. Each measures one cost at every size of one thing and prints a line per size, in the
// form that bench/README.md gives: row growth_NAME, case the size.
//
//   growth_NAME [--threads N] [SIZE...]     2 threads and all sizes unless told otherwise
#pragma once

#include <spool/spool.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

namespace growth {

using sizes = std::vector<std::int64_t>;

struct metric {
  const char* name;
  double value;
};
using metrics = std::vector<metric>;

class stopwatch {
 public:
  /// Nanoseconds since it was made, for each of `operations`.
  double ns_each(std::int64_t operations) const {
    const std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - start_;
    return passed.count() / static_cast<double>(operations);
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// 1, 2, 5, 10, 20, 50 ... up to `last`.
inline sizes one_two_five(std::int64_t last) {
  sizes all;
  for (std::int64_t decade = 1; decade <= last; decade *= 10) {
    for (const std::int64_t step : {1, 2, 5}) {
      if (decade * step <= last) all.push_back(decade * step);
    }
  }
  return all;
}

/// 0 .. count - 1 in an order without a pattern, the same in every run.
inline std::vector<std::uint32_t> shuffled(std::int64_t count) {
  std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
  std::uint64_t state = 1;
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto other = static_cast<std::size_t>((state >> 33) % (i + 1));
    order[i] = order[other];
    order[other] = i;
  }
  return order;
}

inline void print_line(const char* row, std::int64_t size, const metrics& measured) {
  std::printf(R"({"row": "%s", "case": "%lld", "system": "spool", "metrics": {)", row, static_cast<long long>(size));
  const char* separator = "";
  for (const metric& m : measured) std::printf("%s\"%s\": %.6g", std::exchange(separator, ", "), m.name, m.value);
  std::puts("}}");
  std::fflush(stdout);
}

/// The body of main: `measure(size)` returns metrics and runs as a fiber, in a process of its own for each size, which
/// has allocated and freed nothing yet.
template <class Measure>
int run(int count, char** arguments, const char* row, sizes all, Measure measure) {
  spool::runtime_options options;
  options.threads = 2;
  sizes chosen;
  for (int i = 1; i < count; ++i) {
    if (std::string_view(arguments[i]) == "--threads" && i + 1 < count) {
      options.threads = static_cast<std::size_t>(std::atoll(arguments[++i]));
    } else {
      chosen.push_back(std::atoll(arguments[i]));
    }
  }
  for (const std::int64_t size : chosen.empty() ? all : chosen) {
    const pid_t child = ::fork();
    if (child == 0) {
      spool::runtime(options).run([&] { print_line(row, size, measure(size)); });
      std::exit(0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
      std::fprintf(stderr, "%s: size %lld failed\n", row, static_cast<long long>(size));
      return 1;
    }
  }
  return 0;
}

}  // namespace growth
