// What waiting costs in memory. Each row measures in a process that has freed nothing before.
//   parked_fibers  fibers that each wait to receive: `park_seconds` is the time until all of them wait, the
//                  row's time adds waking and ending them
//   queued_jobs    jobs that wait to start, handed over with `go` or posted to a pool: `park_seconds` is the
//                  time to queue them, the row's time adds running them
// `bytes_each` is resident memory and page tables together, `page_table_bytes_each` the latter alone;
// `cpu_seconds` is the CPU time of the whole measuring process.
#include "support/countdown.hpp"
#include "support/counters.hpp"
#include "support/process.hpp"
#include "support/spool_runtime.hpp"
#include "support/stock_fibers.hpp"
#include "support/thread_pool.hpp"

#include <benchmark/benchmark.h>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using bench::process_memory;
using benchmark::State;

struct reading {
  double seconds = 0;
  double park_seconds = 0;
  double cpu_seconds = 0;
  std::int64_t resident_bytes = 0;
  std::int64_t page_table_bytes = 0;

  void grown_since(const process_memory& before) {
    const auto now = process_memory::now();
    resident_bytes = now.resident_bytes - before.resident_bytes;
    page_table_bytes = now.page_table_bytes - before.page_table_bytes;
  }
};

template <class Measure>
void report(State& state, const std::string& row, std::int64_t count, Measure measure) {
  reading last;
  for (auto _ : state) {
    const auto measured = bench::in_fresh_process(row, [&measure] {
      const double cpu_before = bench::cpu_seconds();
      reading result = measure();
      result.cpu_seconds = bench::cpu_seconds() - cpu_before;
      return result;
    });
    if (!measured) {
      state.SkipWithError("the measuring process died");
      break;
    }
    last = *measured;
    state.SetIterationTime(last.seconds);
  }
  const auto each = static_cast<double>(count);
  state.counters["bytes_each"] = static_cast<double>(last.resident_bytes + last.page_table_bytes) / each;
  state.counters["page_table_bytes_each"] = static_cast<double>(last.page_table_bytes) / each;
  state.counters["park_seconds"] = last.park_seconds;
  state.counters["cpu_seconds"] = last.cpu_seconds;
  bench::per_op(state, count);
}

void by_manual_clock(benchmark::internal::Benchmark* row) {
  row->Iterations(1)->Unit(benchmark::kMillisecond)->UseManualTime();
}
void a_million_on_1_and_2_threads(benchmark::internal::Benchmark* row) {
  by_manual_clock(row->ArgNames({"threads", "count"})->ArgsProduct({{1, 2}, {1'000'000}}));
}

// The name that the library makes of the row's own and its arguments, up to what tells rows apart.
std::string on_threads(const std::string& row, const State& state) {
  return row + "/threads:" + std::to_string(state.range(0)) + "/";
}

// ---- parked_fibers ----

void parked_fibers_spool(State& state) {
  const std::int64_t count = state.range(1);
  report(state, on_threads("parked_fibers/spool", state), count, [&] {
    reading result;
    bench::in_runtime(state, [&] {
      const auto before = process_memory::now();
      const bench::stopwatch watch;
      const spool::channel<int> gate;
      std::atomic<std::int64_t> started{0};
      spool::wait_group crowd;
      for (std::int64_t i = 0; i < count; ++i) {
        crowd.go([&] {
          started.fetch_add(1, std::memory_order_relaxed);
          benchmark::DoNotOptimize(gate.recv());
        });
      }
      while (started.load(std::memory_order_relaxed) < count) spool::this_fiber::yield();
      result.park_seconds = watch.seconds();
      result.grown_since(before);
      gate.close();
      crowd.wait();
      result.seconds = watch.seconds();
    });
    return result;
  });
}
BENCHMARK(parked_fibers_spool)->Name("parked_fibers/spool")->Apply(a_million_on_1_and_2_threads);

void parked_fibers_boost(State& state) {
  const std::int64_t count = state.range(0);
  report(state, "parked_fibers/boost_fiber/", count, [&] {
    reading result;
    bench::round_robin::run([&] {
      const auto before = process_memory::now();
      const bench::stopwatch watch;
      boost::fibers::unbuffered_channel<int> gate;
      std::vector<boost::fibers::fiber> crowd;
      crowd.reserve(static_cast<std::size_t>(count));
      std::int64_t started = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        crowd.emplace_back([&] {
          ++started;
          int ignored = 0;
          gate.pop(ignored);
        });
      }
      while (started < count) boost::this_fiber::yield();
      result.park_seconds = watch.seconds();
      result.grown_since(before);
      gate.close();
      for (auto& fiber : crowd) fiber.join();
      result.seconds = watch.seconds();
    });
    return result;
  });
}
BENCHMARK(parked_fibers_boost)
    ->Name("parked_fibers/boost_fiber")
    ->ArgName("count")
    ->Arg(1'000'000)
    ->Apply(by_manual_clock);

// A thread each; the usual limits on threads allow no million of them.
void parked_threads(State& state) {
  const std::int64_t count = state.range(0);
  report(state, "parked_fibers/std_thread/", count, [&] {
    reading result;
    const auto before = process_memory::now();
    const bench::stopwatch watch;
    std::promise<void> gate;
    const auto opened = gate.get_future().share();
    std::atomic<std::int64_t> started{0};
    std::vector<std::thread> crowd;
    crowd.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
      crowd.emplace_back([&started, opened] {
        started.fetch_add(1);
        opened.wait();
      });
    }
    while (started.load() < count) std::this_thread::yield();
    result.park_seconds = watch.seconds();
    result.grown_since(before);
    gate.set_value();
    for (auto& thread : crowd) thread.join();
    result.seconds = watch.seconds();
    return result;
  });
}
BENCHMARK(parked_threads)->Name("parked_fibers/std_thread")->ArgName("count")->Arg(5'000)->Apply(by_manual_clock);

// ---- queued_jobs ----

// `post(job)` queues one job. Every worker is held until `release` is set; then all jobs run.
template <class Post>
reading queue_up(std::int64_t count, std::atomic<bool>& release, Post post) {
  reading result;
  bench::countdown jobs;
  jobs.start(count);
  const auto before = process_memory::now();
  const bench::stopwatch watch;
  for (std::int64_t i = 0; i < count; ++i) post([&jobs] { jobs.arrive(); });
  result.park_seconds = watch.seconds();
  result.grown_since(before);
  release = true;
  jobs.wait();
  result.seconds = watch.seconds();
  return result;
}

// Occupies every worker before it returns: a worker that is free would run what is to be queued.
template <class Post>
void occupy(std::size_t workers, const std::atomic<bool>& release, Post post) {
  std::atomic<std::size_t> occupied{0};
  for (std::size_t i = 0; i < workers; ++i) {
    post([&occupied, &release] {
      occupied.fetch_add(1);
      while (!release) std::this_thread::yield();
    });
  }
  while (occupied.load() < workers) std::this_thread::yield();
}

template <class Pool>
void queued_jobs(State& state) {
  const std::int64_t count = state.range(1);
  report(state, on_threads(Pool::row, state), count, [&] {
    std::atomic<bool> release{false};
    Pool pool(state);
    const auto post = [&pool](auto job) { pool(std::move(job)); };
    occupy(static_cast<std::size_t>(state.range(0)), release, post);
    return queue_up(count, release, post);
  });
}

struct spool_go {
  static constexpr const char* row = "queued_jobs/spool_go";
  explicit spool_go(State& state) : rt(bench::with_threads(state)) {}
  template <class Job>
  void operator()(Job job) {
    rt.go(std::move(job));
  }
  spool::runtime rt;
};
struct spool_post {
  static constexpr const char* row = "queued_jobs/spool_pool_post";
  explicit spool_post(State& state) : rt(bench::with_threads(state)), pool(rt, options(state)) {}
  static spool::worker_pool_options options(State& state) {
    spool::worker_pool_options chosen;
    chosen.workers = static_cast<std::size_t>(state.range(0));
    chosen.queue_capacity = static_cast<std::size_t>(state.range(1)) + 1;
    return chosen;
  }
  template <class Job>
  void operator()(Job job) {
    benchmark::DoNotOptimize(pool.post(std::move(job)));
  }
  spool::runtime rt;
  spool::worker_pool pool;
};
struct asio_post {
  static constexpr const char* row = "queued_jobs/asio_post";
  explicit asio_post(State& state) : pool(static_cast<std::size_t>(state.range(0))) {}
  template <class Job>
  void operator()(Job job) {
    boost::asio::post(pool, std::move(job));
  }
  boost::asio::thread_pool pool;
};
struct mutex_pool {
  static constexpr const char* row = "queued_jobs/std_thread_pool_unbounded";
  explicit mutex_pool(State& state) : pool(static_cast<std::size_t>(state.range(0)), bench::thread_pool::unbounded) {}
  template <class Job>
  void operator()(Job job) {
    pool.post(std::move(job));
  }
  bench::thread_pool pool;
};
BENCHMARK(queued_jobs<spool_go>)->Name(spool_go::row)->Apply(a_million_on_1_and_2_threads);
BENCHMARK(queued_jobs<spool_post>)->Name(spool_post::row)->Apply(a_million_on_1_and_2_threads);
BENCHMARK(queued_jobs<asio_post>)->Name(asio_post::row)->Apply(a_million_on_1_and_2_threads);
BENCHMARK(queued_jobs<mutex_pool>)->Name(mutex_pool::row)->Apply(a_million_on_1_and_2_threads);

}  // namespace
