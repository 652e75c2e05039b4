// Jobs that compute, on as many workers as there are CPUs: who offers them takes its time from those that do them. So
// what that costs is told apart: by the CPU clock of the thread that offers, or, of a fiber, by what a refusal takes.
// Beside it a fiber of the same runtime sleeps for a millisecond at a time: how late it is, others feel of the load.
//
// of_peak       goodput (jobs that ended) per second, in parts of the best step's
// of_cpu_peak   the same per second of CPU that the process had beside the generator: what is lost here, the pool loses
// due, offered  the generator stops with the step, even if it could not keep up
// p50, p99      since a job was due; held_p99: since it was accepted
// back_within   of a step whose load has been before: until a window's 99th percentile is what it was
#pragma once

#include "../../support/process.hpp"
#include "../../support/work.hpp"
#include "load_step.hpp"

#include <spool/spool.hpp>

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace burst {

struct computing_options {
  std::chrono::microseconds job{0};
  bool from_thread = false;  // else from a fiber
  std::chrono::milliseconds length{1000};
  std::vector<double> loads{0.8, 1, 2, 5, 10, 100, 0.8, 1};
};

class computing {
 public:
  explicit computing(computing_options chosen)
      : options_(std::move(chosen)), rounds_(bench::rounds_in(options_.job)), pool_({.name = "burst"}) {}

  int measure();

 private:
  struct measured : step {
    double seconds = 0;
    std::uint64_t due = 0;  // more than was offered, if the generator could not keep up
    std::uint64_t completed = 0;
    double cpu_seconds = 0;        // of the process
    double generator_seconds = 0;  // of these
    samples tick_late_ms, fiber_late_ms;
    samples refusal_ns;  // of batches of refusals
    std::vector<milliseconds> accepted_at = std::vector<milliseconds>(most_accepted);  // since the start of the step
    double goodput() const { return static_cast<double>(completed) / seconds; }
    double per_worker_cpu_second() const { return static_cast<double>(completed) / (cpu_seconds - generator_seconds); }
  };
  static constexpr std::uint64_t batch = 32;
  static constexpr auto grace = 10 * tick;  // for the last tick of a step

  static double thread_cpu_seconds() {
    timespec spent{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
  }
  static double seconds_since(clock::time_point start) {
    return std::chrono::duration<double>(clock::now() - start).count();
  }

  double capacity();
  void run_step(measured& s, double per_second);
  void offer(measured& s, double per_second);
  void offer_due(measured& s, double per_second, clock::time_point start);
  void sleep_beside(measured& s, const std::atomic<bool>& over);
  bool lost_some(const std::vector<measured>& steps) const;
  std::vector<double> held_ms(const measured& s) const;
  void print(const std::vector<measured>& steps) const;

  const computing_options options_;
  const std::int64_t rounds_;
  spool::worker_pool pool_;
  std::uint64_t offered_before_ = 0;  // the steps
  std::size_t taken_ = 0;             // in this step
};

// The best of several trials: what another process took is not the pool's.
inline double computing::capacity() {
  double best = 0;
  for (int trial = 0; trial < 5; ++trial) {
    const std::uint64_t before = pool_.stats().completed;
    const auto start = clock::now();
    while (seconds_since(start) < 0.1) (void)pool_.post([rounds = rounds_] { bench::spin(rounds); });
    best = std::max(best, static_cast<double>(pool_.stats().completed - before) / seconds_since(start));
  }
  if (const spool::error failure = pool_.drain()) failure.rethrow();
  return best;
}

inline void computing::offer_due(measured& s, double per_second, clock::time_point start) {
  const milliseconds now = std::min<milliseconds>(clock::now() - start, options_.length);
  const auto due = static_cast<std::uint64_t>(now.count() * per_second / 1000);
  while (s.offered < due && clock::now() < start + options_.length + grace && taken_ + batch <= most_accepted) {
    const std::uint64_t last = std::min(s.offered + batch, due);
    const auto count = static_cast<double>(last - s.offered);
    const std::size_t taken_before = taken_;
    const auto began = clock::now();
    for (; s.offered < last; ++s.offered) {
      step::job* const place = &s.accepted.at(taken_);
      place->due = milliseconds(static_cast<double>(s.offered) * 1000 / per_second);  // before the job may end
      const auto said = pool_.try_post([place, start, rounds = rounds_] {
        bench::spin(rounds);
        place->took = clock::now() - start - place->due;
      });
      if (said == spool::channel_status::ok) {
        s.accepted_at[taken_++] = clock::now() - start;
      } else {
        ++s.rejected;
      }
    }
    if (taken_ == taken_before) s.refusal_ns.add(seconds_since(began) * 1e9 / count);
  }
}

inline void computing::offer(measured& s, double per_second) {
  const double cpu_before = options_.from_thread ? thread_cpu_seconds() : 0;
  const auto start = clock::now();
  for (auto at = start; at < start + options_.length;) {
    at += tick;
    if (options_.from_thread) {
      std::this_thread::sleep_until(at);
    } else {
      spool::this_fiber::sleep_until(at);
    }
    s.tick_late_ms.add(milliseconds(clock::now() - at).count());
    offer_due(s, per_second, start);
    at = std::max(at, clock::time_point(clock::now() - tick));
  }
  if (options_.from_thread) s.generator_seconds = thread_cpu_seconds() - cpu_before;
}

inline void computing::sleep_beside(measured& s, const std::atomic<bool>& over) {
  while (!over) {
    const auto at = clock::now() + tick;
    spool::this_fiber::sleep_until(at);
    s.fiber_late_ms.add(milliseconds(clock::now() - at).count());
  }
}

inline void computing::run_step(measured& s, double per_second) {
  std::atomic<bool> over{false};
  spool::wait_group beside;
  beside.go([&] { sleep_beside(s, over); });
  taken_ = 0;
  s.due = static_cast<std::uint64_t>(milliseconds(options_.length).count() * per_second / 1000);
  const std::uint64_t completed_before = pool_.stats().completed;
  const double cpu_before = bench::cpu_seconds();
  const auto start = clock::now();
  // Read where the offering ends: a fiber that waits for that thread goes on late.
  const auto note_end = [&] {
    s.seconds = seconds_since(start);
    s.completed = pool_.stats().completed - completed_before;
    s.cpu_seconds = bench::cpu_seconds() - cpu_before;
    s.resident_mib = static_cast<double>(bench::process_memory::now().resident_bytes) / (1024 * 1024);
  };
  const auto all = [&] {
    offer(s, per_second);
    note_end();
  };
  if (options_.from_thread) {
    spool::blocking([&] { std::thread(all).join(); });
  } else {
    all();
    s.generator_seconds = percentile(s.refusal_ns.taken(), 0.5) * 1e-9 * static_cast<double>(s.offered);
  }
  over = true;
  beside.wait();
}

inline bool computing::lost_some(const std::vector<measured>& steps) const {
  std::uint64_t offered = offered_before_, rejected = 0;
  for (const measured& s : steps) {
    offered += s.offered;
    rejected += s.rejected;
  }
  const spool::worker_pool_stats said = pool_.stats();
  return said.accepted + said.rejected != offered || said.rejected != rejected || said.completed != said.accepted;
}

// From the moment at which a job was accepted: without what the generator itself was late.
inline std::vector<double> computing::held_ms(const measured& s) const {
  std::vector<double> found;
  for (std::size_t i = 0; i < s.accepted.size(); ++i) {
    found.push_back((s.accepted[i].due + s.accepted[i].took - s.accepted_at[i]).count());
  }
  return found;
}

inline void computing::print(const std::vector<measured>& steps) const {
  const auto count = [](const char* name, std::uint64_t n) {
    std::printf(R"("%s": %llu, )", name, static_cast<unsigned long long>(n));
  };
  const auto value = [](const char* name, double v) { std::printf(R"("%s": %.4g, )", name, v); };
  const auto best = [&](auto of) {
    double highest = 0;
    for (const measured& s : steps) highest = std::max(highest, (s.*of)());
    return highest;
  };
  const double peak = best(&measured::goodput), cpu_peak = best(&measured::per_worker_cpu_second);
  for (auto s = steps.begin(); s != steps.end(); ++s) {
    std::printf(R"({"row": "burst_computing_%lldus_from_%s", "case": "%s", "system": "spool", "metrics": {)",
                static_cast<long long>(options_.job.count()), options_.from_thread ? "thread" : "fiber",
                s->name.c_str());
    count("due", s->due);
    count("offered", s->offered);
    count("accepted", s->accepted.size());
    count("rejected", s->rejected);
    count("completed", s->completed);
    count("goodput_per_s", static_cast<std::uint64_t>(s->goodput()));
    value("of_peak", s->goodput() / peak);
    value("of_cpu_peak", s->per_worker_cpu_second() / cpu_peak);
    value("cpus", s->cpu_seconds / s->seconds);
    value("generator_cpus", s->generator_seconds / s->seconds);
    value("refusal_ns", percentile(s->refusal_ns.taken(), 0.5));
    const auto latencies = latencies_ms(*s, milliseconds(0), options_.length);
    value("p50_ms", percentile(latencies, 0.5));
    value("p99_ms", percentile(latencies, 0.99));
    value("held_p99_ms", percentile(held_ms(*s), 0.99));
    value("tick_late_ms", percentile(s->tick_late_ms.taken(), 1));
    value("fiber_late_ms", percentile(s->fiber_late_ms.taken(), 1));
    const auto same = std::find_if(steps.begin(), s, [&](const measured& before) { return before.load == s->load; });
    if (same != s) value("back_within_ms", recovery_ms(*same, *s, options_.length));
    std::printf(R"("resident_mib": %.2f}})"
                "\n",
                s->resident_mib);
  }
}

inline int computing::measure() {
  const double can_do = capacity();
  offered_before_ = pool_.stats().accepted;
  std::vector<measured> steps;
  for (const double load : options_.loads) {
    steps.emplace_back();
    steps.back().name = times(load);
    steps.back().load = load;
  }
  for (measured& s : steps) run_step(s, s.load * can_do);
  if (const spool::error failure = pool_.drain()) failure.rethrow();
  if (lost_some(steps)) {
    std::fprintf(stderr, "burst: jobs were lost\n");
    return 1;
  }
  for (measured& s : steps) s.accepted.resize(s.offered - s.rejected);
  print(steps);
  return 0;
}

}  // namespace burst
