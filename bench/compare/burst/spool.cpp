// A bounded pool under steps of load: less than it can do, 10 and 100 times what it can do, and back. Jobs wait 10 ms for somebody
// else's answer. The generator never waits for the pool: a job for which there is no room is rejected.
//
// With --compute the jobs compute, on a worker per CPU: see computing.hpp.
#include "computing.hpp"
#include "load_step.hpp"

#include <spool/spool.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace burst;
using namespace std::chrono_literals;

constexpr std::size_t workers = 64;
constexpr std::size_t queue_capacity = 128;
constexpr auto answer_after = 10ms;

constexpr const char* usage =
    R"(usage: burst_spool [--compute MICROSECONDS [--from fiber|thread]] [MILLISECONDS [LOAD...]]
  MILLISECONDS  of each step; 1000
  LOAD          1 is what the pool can do. Jobs that wait: the steps between 0.8 before and after; 10 100.
                Jobs that compute: all steps; 0.8 1 2 5 10 100 0.8 1
  --compute     jobs that compute for so long instead of waiting; as many workers as CPUs, a queue of 100
  --from        who offers them: a fiber of the pool's runtime, or a thread outside of it; fiber
)";

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
  s.resident_mib = static_cast<double>(bench::process_memory::now().resident_bytes) / (1024 * 1024);
  spool::this_fiber::sleep_until(start + length);
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
                percentile(all, 0.5), percentile(all, 0.99), s.resident_mib);
  }
  std::printf(R"({"row": "burst", "case": "recovery", "system": "spool", "metrics": {"back_within_ms": %.0f}})"
              "\n",
              recovery_ms(steps.front(), steps.back(), length));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::chrono::milliseconds length = 1s;
  std::vector<double> loads;
  computing_options compute;
  const std::vector<std::string_view> given(argv + 1, argv + argc);
  std::size_t i = 0;
  for (; i + 1 < given.size() && given[i].substr(0, 2) == "--"; i += 2) {
    if (given[i] == "--compute") {
      compute.job = std::chrono::microseconds(std::atoi(given[i + 1].data()));
    } else if (given[i] == "--from" && (given[i + 1] == "fiber" || given[i + 1] == "thread")) {
      compute.from_thread = given[i + 1] == "thread";
    } else {
      break;
    }
  }
  if (i < given.size()) length = std::chrono::milliseconds(std::atoi(given[i++].data()));
  while (i < given.size()) loads.push_back(std::atof(given[i++].data()));
  if (length <= 0ms || std::any_of(loads.begin(), loads.end(), [](double load) { return load <= 0; })) {
    std::fputs(usage, stderr);
    return 1;
  }
  try {
    if (compute.job > 0us) {
      compute.length = length;
      if (!loads.empty()) compute.loads = loads;
      return spool::run([&] { return computing(compute).measure(); });
    }
    if (loads.empty()) loads = {10, 100};
    spool::runtime runtime({.threads = 2});
    return runtime.run([&] { return measure(length, loads); });
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "burst: %s\n", failure.what());
    return 1;
  }
}
