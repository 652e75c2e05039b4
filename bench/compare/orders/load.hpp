// The schedule of the load, the search for the highest rate that is held, and the output, for spool.cpp and std_thread.cpp.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "stages.hpp"

namespace orders {

// Order k is due at k / per_second, whatever has become of those before it. 0: all at once, so that the channels' room is
// the only limit.
struct schedule {
  std::uint64_t per_second = 0;
  std::uint64_t orders = 0;
  bool spin = false;  // the generator never lets go of its processor; else it yields while nothing is due

  std::uint64_t due_ns(std::uint64_t order) const {
    return per_second == 0 ? 0 : order / per_second * 1'000'000'000 + order % per_second * 1'000'000'000 / per_second;
  }
};

struct outcome {
  double per_second = 0;  // up to the last order
  double p50_us = 0, p99_us = 0, p999_us = 0, max_us = 0;
  std::uint64_t trades = 0;
};

inline outcome judge(const order_books& books, feed& published, const schedule& load) {
  if (published.published() != load.orders || !books.balanced()) {
    std::fprintf(stderr, "orders: lost or invented: %llu of %llu published\n",
                 static_cast<unsigned long long>(published.published()), static_cast<unsigned long long>(load.orders));
    std::exit(1);
  }
  std::vector<std::uint32_t>& sorted = published.latencies_ns();
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double part) {
    return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))] / 1000.0;
  };
  return {static_cast<double>(load.orders) * 1e9 / static_cast<double>(published.last_ns()),
          at(0.5),
          at(0.99),
          at(0.999),
          at(1),
          books.trades()};
}

// Runs `offer(schedule) -> outcome` as the command line says: one rate, or with --most the highest that is held.
template <class Offer>
int report(int argc, char** argv, const char* system, Offer offer) {
  std::uint64_t rate = 200'000, seconds = 20;
  bool most = false, spin = false;
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--most") == 0) {
      most = true;
    } else if (std::strcmp(argv[i], "--spin") == 0) {
      spin = true;
    } else if (has_value && std::strcmp(argv[i], "--rate") == 0) {
      rate = std::strtoull(argv[++i], nullptr, 10);
    } else if (has_value && std::strcmp(argv[i], "--seconds") == 0) {
      seconds = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: %s [--spin] [--rate N] [--seconds N] | [--spin] --most\n", argv[0]);
      return 1;
    }
  }
  const char* const how = spin ? ", generator spins" : "";
  if (!most) {
    const outcome o = offer(schedule{rate, rate * seconds, spin});
    std::printf(R"({"row": "orders", "case": "%llu/s%s", "system": "%s", "metrics": {"p50_us": %.2f, "p99_us": %.1f, )"
                R"("p999_us": %.1f, "max_us": %.0f, "rate_per_s": %.0f, "trades": %llu}})"
                "\n",
                static_cast<unsigned long long>(rate), how, system, o.p50_us, o.p99_us, o.p999_us, o.max_us,
                o.per_second, static_cast<unsigned long long>(o.trades));
    return 0;
  }
  // Held: published as fast as offered, and the 99th percentile within 1 ms. From what the stages can do at most downwards.
  const outcome flooded = offer(schedule{0, 2'000'000, spin});
  std::printf(R"({"row": "orders", "case": "most%s", "system": "%s", "metrics": {"flooded_per_s": %.0f)", how, system,
              flooded.per_second);
  for (double part = 1; part > 0.05; part -= 0.05) {
    const auto tried = static_cast<std::uint64_t>(flooded.per_second * part);
    const outcome o = offer(schedule{tried, tried / 2, spin});
    if (o.p99_us >= 1000 || o.per_second < 0.99 * static_cast<double>(tried)) continue;
    std::printf(R"(, "held_per_s": %llu, "held_p50_us": %.2f, "held_p99_us": %.1f)",
                static_cast<unsigned long long>(tried), o.p50_us, o.p99_us);
    break;
  }
  std::printf("}}\n");
  return 0;
}

}  // namespace orders
