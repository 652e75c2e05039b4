// A bounded pool under steps of load: less than it can do, 10 and 100 times what it can do, and back. Jobs wait 10 ms for somebody
// else's answer. The generator never waits for the pool: a job for which there is no room is rejected.
//   burst_spool [MILLISECONDS of each step [LOAD...]]: the loads between the steps of 0.8 before and after; 10 100 without
#include <unistd.h>
#include <spool/spool.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::size_t workers = 64;
constexpr std::size_t queue_capacity = 128;
constexpr auto answer_after = 10ms;
constexpr auto tick = 1ms;                      // the generator submits what has fallen due since the last one
constexpr auto window = 50ms;                   // of the recovery
constexpr std::size_t most_accepted = 100'000;  // in a step

struct step {
  std::string name;
  double load;  // 1: what the pool can do
  std::uint64_t offered = 0;
  std::uint64_t rejected = 0;
  double resident_mib = 0;  // at its end
  struct job {
    milliseconds due;   // since the start of the step
    milliseconds took;  // since it was due
  };
  std::vector<job> accepted = std::vector<job>(most_accepted);  // all of its memory now: what grows is the pool's
};

double resident_mib() {
  double total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1024 * 1024);
}

double percentile_ms(std::vector<double> sample, double part) {
  std::sort(sample.begin(), sample.end());
  return sample.empty() ? 0 : sample[static_cast<std::size_t>(part * static_cast<double>(sample.size() - 1))];
}

std::vector<double> latencies_ms(const step& s, milliseconds from, milliseconds to) {
  std::vector<double> found;
  for (const step::job& j : s.accepted) {
    if (j.due >= from && j.due < to) found.push_back(j.took.count());
  }
  return found;
}

double measured_capacity(spool::worker_pool& pool) {
  const auto start = clock::now();
  while (clock::now() - start < 500ms) (void)pool.post([] { spool::this_fiber::sleep_for(answer_after); });
  return static_cast<double>(pool.stats().completed) / std::chrono::duration<double>(clock::now() - start).count();
}

void offer(step& s, spool::worker_pool& pool, double per_second, std::chrono::milliseconds length) {
  const auto start = clock::now();
  const auto jobs = static_cast<std::uint64_t>(per_second * std::chrono::duration<double>(length).count());
  std::size_t taken = 0;
  while (s.offered < jobs) {
    const milliseconds now = clock::now() - start;
    for (; s.offered < jobs; ++s.offered) {
      const milliseconds due(static_cast<double>(s.offered) * 1000 / per_second);
      if (due > now) break;
      step::job* const place = &s.accepted.at(taken);
      place->due = due;  // before the job may end
      const auto said = pool.try_post([place, start] {
        spool::this_fiber::sleep_for(answer_after);
        place->took = clock::now() - start - place->due;
      });
      ++(said == spool::channel_status::ok ? taken : s.rejected);
    }
    spool::this_fiber::sleep_for(tick);
  }
  s.resident_mib = resident_mib();
  spool::this_fiber::sleep_until(start + length);
}

// How long after the peak a window's 99th percentile is back at what it was, give or take a half.
double recovery_ms(const step& before, const step& after, std::chrono::milliseconds length) {
  const double bound = 1.5 * percentile_ms(latencies_ms(before, 0ms, length), 0.99);
  for (std::chrono::milliseconds at = 0ms; at < length; at += window) {
    const auto sample = latencies_ms(after, at, at + window);
    if (!sample.empty() && percentile_ms(sample, 0.99) <= bound) return milliseconds(at).count();
  }
  return milliseconds(length).count();
}

std::string times(double load) {
  char text[32];
  std::snprintf(text, sizeof text, "%gx", load);
  return text;
}

int measure(std::chrono::milliseconds length, const std::vector<double>& loads) {
  spool::worker_pool pool({.name = "burst", .workers = workers, .queue_capacity = queue_capacity});
  const double can_do = measured_capacity(pool);
  std::vector<step> steps;
  steps.push_back({.name = "0.8x before", .load = 0.8});
  for (const double load : loads) steps.push_back({.name = times(load), .load = load});
  steps.push_back({.name = "0.8x after", .load = 0.8});
  spool::this_fiber::sleep_for(100ms);
  std::uint64_t offered = pool.stats().accepted, rejected = 0;
  for (step& s : steps) {
    offer(s, pool, s.load * can_do, length);
    offered += s.offered;
    rejected += s.rejected;
  }
  if (const spool::error failure = pool.drain()) failure.rethrow();
  const spool::worker_pool_stats said = pool.stats();
  if (said.accepted + said.rejected != offered || said.rejected != rejected || said.completed != said.accepted) {
    std::fprintf(stderr, "burst: jobs were lost\n");
    return 1;
  }
  for (step& s : steps) {
    s.accepted.resize(s.offered - s.rejected);
    const auto all = latencies_ms(s, 0ms, length);
    std::printf(R"({"row": "burst", "case": "%s", "system": "spool", "metrics": {"offered_per_s": %.0f, )"
                R"("accepted_per_s": %.0f, "p50_ms": %.2f, "p99_ms": %.2f, "resident_mib": %.2f}})"
                "\n",
                s.name.c_str(), static_cast<double>(s.offered) / std::chrono::duration<double>(length).count(),
                static_cast<double>(s.accepted.size()) / std::chrono::duration<double>(length).count(),
                percentile_ms(all, 0.5), percentile_ms(all, 0.99), s.resident_mib);
  }
  std::printf(R"({"row": "burst", "case": "recovery", "system": "spool", "metrics": {"back_within_ms": %.0f}})"
              "\n",
              recovery_ms(steps.front(), steps.back(), length));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::chrono::milliseconds length(argc > 1 ? std::atoi(argv[1]) : 1000);
    std::vector<double> loads;
    for (int i = 2; i < argc; ++i) loads.push_back(std::atof(argv[i]));
    if (loads.empty()) loads = {10, 100};
    spool::runtime runtime({.threads = 2});
    return runtime.run([&] { return measure(length, loads); });
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "burst: %s\n", failure.what());
    return 1;
  }
}
