// Jobs for a pool of two workers: from the first that is handed over until the last has run. Every rival in C++ is a
// pool for this driver; go/main.go does the same. The row says how long a job computes, a case who hands jobs over and
// how many the pool's queue holds; a pool without a bound has one case where the others have two.
#pragma once

#include "../../support/countdown.hpp"
#include "../../support/work.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <latch>
#include <string_view>
#include <thread>
#include <vector>

namespace jobs {

constexpr std::size_t workers = 2;
constexpr std::size_t small_queue = 100;
constexpr std::size_t large_queue = 1'000'000;

struct row {
  std::string_view name;
  std::chrono::microseconds work;
  std::int64_t jobs;
};
constexpr row rows[] = {
    {"job_empty", std::chrono::microseconds(0), 200'000},
    {"job_1us", std::chrono::microseconds(1), 100'000},
    {"job_10us", std::chrono::microseconds(10), 20'000},
    {"job_100us", std::chrono::microseconds(100), 4'000},
};

// A pool has post(job), to be called by any thread and by jobs, and may have a better way for jobs:
// post_all(count, job), called by a job.
template <class Pool, class Job>
void post_from_inside(Pool& pool, std::int64_t count, const Job& job) {
  if constexpr (requires { pool.post_all(count, job); }) {
    pool.post_all(count, job);
  } else {
    for (std::int64_t i = 0; i < count; ++i) pool.post(job);
  }
}

template <class Pool, class Job>
void post_from_threads(Pool& pool, std::int64_t threads, std::int64_t count, const Job& job, std::latch& start) {
  std::vector<std::thread> submitters;
  for (std::int64_t t = 1; t < threads; ++t) {
    submitters.emplace_back([&] {
      start.arrive_and_wait();
      for (std::int64_t i = 0; i < count / threads; ++i) pool.post(job);
    });
  }
  start.arrive_and_wait();
  for (std::int64_t i = 0; i < count / threads; ++i) pool.post(job);
  for (auto& submitter : submitters) submitter.join();
}

// Nanoseconds per job. `from`: threads that hand jobs over; 0: a job does.
template <class Pool>
double run(Pool& pool, std::int64_t from, std::int64_t count, std::int64_t rounds) {
  using clock = std::chrono::steady_clock;
  bench::countdown left;
  left.start(count);
  const auto job = [&left, rounds] {
    bench::spin(rounds);
    left.arrive();
  };
  clock::time_point begin;
  if (from == 0) {
    begin = clock::now();
    pool.post([&] {
      post_from_inside(pool, count - 1, job);
      left.arrive();
    });
  } else {
    std::latch start(from);
    begin = clock::now();  // of four threads, starting the others is part of it: some 0.1 ms
    post_from_threads(pool, from, count, job, start);
  }
  left.wait();
  return std::chrono::duration<double, std::nano>(clock::now() - begin).count() / static_cast<double>(count);
}

template <class Pool>
void measure(const row& what, const char* system, std::size_t queue) {
  const std::int64_t rounds = bench::rounds_in(what.work);
  for (const std::int64_t from : {1, 4, 0}) {
    Pool pool(queue);
    run(pool, from, what.jobs / 10, rounds);
    const double job_ns = run(pool, from, what.jobs, rounds);
    const char* const who = from == 0 ? "inside" : from == 1 ? "1 thread" : "4 threads";
    const char* const holds = queue == small_queue ? "100" : "1M";
    std::printf("{\"row\": \"%s\", \"case\": \"from %s, queue %s\", ", what.name.data(), who, holds);
    std::printf("\"system\": \"%s\", \"metrics\": {\"job_ns\": %.2f}}\n", system, job_ns);
  }
}

// What the argument names, or null and a word on stderr.
inline const row* row_named(int argc, char** argv) {
  const auto* const found =
      std::find_if(std::begin(rows), std::end(rows), [&](const row& r) { return argc == 2 && r.name == argv[1]; });
  if (found != std::end(rows)) return found;
  std::fprintf(stderr, "usage: %s job_empty|job_1us|job_10us|job_100us\n", argv[0]);
  return nullptr;
}

}  // namespace jobs
