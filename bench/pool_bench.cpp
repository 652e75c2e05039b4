// Jobs for workers. per_op is per job:
//   submit_outside  empty jobs handed over by a plain thread, until the last has run
//   submit_inside   the same, handed over by a job that runs in the pool
//   worker_select   jobs that four workers take with a select over a job channel and a context; each answers
//                   on a result channel
// Bounded queues hold 100 jobs, spool's default. asio, TBB, `go` and the rows named unbounded have no bound.
#include "support/bounded_queue.hpp"
#include "support/countdown.hpp"
#include "support/counters.hpp"
#include "support/spool_runtime.hpp"
#include "support/stock_fibers.hpp"
#include "support/thread_pool.hpp"

#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using benchmark::State;

constexpr std::int64_t jobs = 20'000;
constexpr std::size_t queue_capacity = 100;
constexpr int select_workers = 4;

std::size_t threads_of(const State& state) { return static_cast<std::size_t>(state.range(0)); }

// `post(job)` hands one job over. The calling thread hands over every job of a batch, or one that hands over
// the rest.
template <class Post>
void outside(State& state, Post post) {
  bench::countdown batch;
  for (auto _ : state) {
    batch.start(jobs);
    for (std::int64_t i = 0; i < jobs; ++i) post([&batch] { batch.arrive(); });
    batch.wait();
  }
  bench::per_op(state, jobs);
}
template <class Post>
void inside(State& state, Post post) {
  bench::countdown batch;
  for (auto _ : state) {
    batch.start(jobs);
    post([&batch, &post] {
      for (std::int64_t i = 0; i + 1 < jobs; ++i) post([&batch] { batch.arrive(); });
      batch.arrive();
    });
    batch.wait();
  }
  bench::per_op(state, jobs);
}

// ---- spool ----

struct spool_go {
  explicit spool_go(State& state) : rt(bench::with_threads(state)) {}
  template <class Job>
  void operator()(Job job) {
    rt.go(std::move(job));
  }
  spool::runtime rt;
};

struct spool_pool {
  explicit spool_pool(State& state) : rt(bench::with_threads(state)), pool(rt, options(state)) {}
  static spool::worker_pool_options options(State& state) {
    spool::worker_pool_options chosen;
    chosen.workers = threads_of(state);
    chosen.queue_capacity = queue_capacity;
    return chosen;
  }
  spool::runtime rt;
  spool::worker_pool pool;
};
struct spool_post : spool_pool {
  using spool_pool::spool_pool;
  template <class Job>
  void operator()(Job job) {
    benchmark::DoNotOptimize(pool.post(std::move(job)));
  }
};
struct spool_submit : spool_pool {
  using spool_pool::spool_pool;
  template <class Job>
  void operator()(Job job) {
    auto future = pool.submit(std::move(job));
    benchmark::DoNotOptimize(future);
  }
};

// ---- rivals ----

struct asio_post {
  explicit asio_post(State& state) : pool(threads_of(state)) {}
  template <class Job>
  void operator()(Job job) {
    boost::asio::post(pool, std::move(job));
  }
  boost::asio::thread_pool pool;
};
struct asio_future : asio_post {
  using asio_post::asio_post;
  template <class Job>
  void operator()(Job job) {
    auto future = boost::asio::post(pool, boost::asio::use_future(std::move(job)));
    benchmark::DoNotOptimize(future);
  }
};

struct mutex_pool {
  explicit mutex_pool(State& state) : pool(threads_of(state), queue_capacity) {}
  template <class Job>
  void operator()(Job job) {
    pool.post(std::move(job));
  }
  bench::thread_pool pool;
};
struct mutex_pool_unbounded {
  explicit mutex_pool_unbounded(State& state) : pool(threads_of(state), bench::thread_pool::unbounded) {}
  template <class Job>
  void operator()(Job job) {
    pool.post(std::move(job));
  }
  bench::thread_pool pool;
};

// The work pool of Boost.Fiber's documentation: a buffered channel of jobs, a fiber that pops them on each
// thread.
struct boost_fiber_channel {
  explicit boost_fiber_channel(State& state) : queue(128) {
    for (std::size_t i = 0; i < threads_of(state); ++i) {
      threads.emplace_back([this] {
        for (auto& job : queue) job();
      });
    }
  }
  ~boost_fiber_channel() {
    queue.close();
    for (auto& thread : threads) thread.join();
  }
  template <class Job>
  void operator()(Job job) {
    queue.push(std::function<void()>(std::move(job)));
  }
  boost::fibers::buffered_channel<std::function<void()>> queue;
  std::vector<std::thread> threads;
};

template <class Pool>
void submit_outside(State& state) {
  Pool pool(state);
  outside(state, [&pool](auto job) { pool(std::move(job)); });
}
template <class Pool>
void submit_inside(State& state) {
  Pool pool(state);
  inside(state, [&pool](auto job) { pool(std::move(job)); });
}
BENCHMARK(submit_outside<spool_go>)->Name("submit_outside/spool_go")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_outside<spool_post>)->Name("submit_outside/spool_pool_post")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_outside<spool_submit>)->Name("submit_outside/spool_pool_submit")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_outside<asio_post>)->Name("submit_outside/asio_post")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_outside<asio_future>)->Name("submit_outside/asio_use_future")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_outside<mutex_pool>)->Name("submit_outside/std_thread_pool")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_outside<mutex_pool_unbounded>)
    ->Name("submit_outside/std_thread_pool_unbounded")
    ->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_outside<boost_fiber_channel>)
    ->Name("submit_outside/boost_fiber_channel")
    ->Apply(bench::on_1_and_2_threads);

BENCHMARK(submit_inside<spool_go>)->Name("submit_inside/spool_go")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_inside<spool_post>)->Name("submit_inside/spool_pool_post")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_inside<spool_submit>)->Name("submit_inside/spool_pool_submit")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_inside<asio_post>)->Name("submit_inside/asio_post")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_inside<asio_future>)->Name("submit_inside/asio_use_future")->Apply(bench::on_1_and_2_threads);
// A bounded pool whose only thread waits for room in its own queue is deadlocked: these rivals need two
// threads.
BENCHMARK(submit_inside<mutex_pool>)
    ->Name("submit_inside/std_thread_pool")
    ->ArgName("threads")
    ->Arg(2)
    ->Apply(bench::wall_clock);
BENCHMARK(submit_inside<boost_fiber_channel>)
    ->Name("submit_inside/boost_fiber_channel")
    ->ArgName("threads")
    ->Arg(2)
    ->Apply(bench::wall_clock);
BENCHMARK(submit_inside<mutex_pool_unbounded>)
    ->Name("submit_inside/std_thread_pool_unbounded")
    ->Apply(bench::on_1_and_2_threads);

// A task_group belongs to the arena of its caller: outside, tasks enter through the arena's queue; inside,
// through the local one.
void submit_outside_tbb(State& state) {
  const auto threads = threads_of(state);
  // None of the arena's places is for the caller, but TBB counts the caller in when it limits its threads to
  // the CPUs.
  const tbb::global_control allow(tbb::global_control::max_allowed_parallelism, threads + 1);
  tbb::task_arena arena(static_cast<int>(threads), 0);
  outside(state, [&](auto job) { arena.enqueue(std::move(job)); });
}
void submit_inside_tbb(State& state) {
  tbb::task_arena arena(static_cast<int>(state.range(0)));
  bench::countdown batch;
  arena.execute([&] {
    for (auto _ : state) {
      batch.start(jobs);
      tbb::task_group group;
      for (std::int64_t i = 0; i < jobs; ++i) group.run([&batch] { batch.arrive(); });
      group.wait();
    }
  });
  bench::per_op(state, jobs);
}
BENCHMARK(submit_outside_tbb)->Name("submit_outside/tbb_enqueue")->Apply(bench::on_1_and_2_threads);
BENCHMARK(submit_inside_tbb)->Name("submit_inside/tbb_task_group")->Apply(bench::on_1_and_2_threads);

void submit_outside_thread_each(State& state) {
  constexpr std::int64_t few = 100;
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (std::int64_t i = 0; i < few; ++i) threads.emplace_back([] {});
    for (auto& thread : threads) thread.join();
  }
  bench::per_op(state, few);
}
BENCHMARK(submit_outside_thread_each)->Name("submit_outside/std_thread_each")->Apply(bench::wall_clock);

// ---- worker_select ----

void worker(const spool::context& ctx, const spool::channel<int>& in, const spool::channel<int>& out) {
  for (bool more = true; more;) {
    spool::select(
        spool::on_recv(
            in, [&](std::optional<int> job) { more = job && out.send(ctx, *job * 2) == spool::channel_status::ok; }),
        spool::on_done(ctx, [&] { more = false; }));
  }
}

void worker_select_spool(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) {
      const spool::cancel_scope scope = spool::with_cancel(spool::context::background());
      const spool::channel<int> in(queue_capacity);
      const spool::channel<int> out(queue_capacity);
      spool::wait_group crew;
      for (int i = 0; i < select_workers; ++i) crew.go([ctx = scope.ctx(), in, out] { worker(ctx, in, out); });
      crew.go([in] {
        for (std::int64_t i = 0; i < jobs; ++i) benchmark::DoNotOptimize(in.send(1));
      });
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < jobs; ++i) sum += *out.recv();
      if (sum != 2 * jobs) state.SkipWithError("lost a job");
      scope.cancel();
      crew.wait();
    }
  });
  bench::per_op(state, jobs);
}
BENCHMARK(worker_select_spool)->Name("worker_select/spool")->Apply(bench::on_1_and_2_threads);

// Without select a worker looks at a flag between jobs and is woken by the close of its queue.
template <class Scheduler>
void worker_select_boost(State& state) {
  using channel = boost::fibers::buffered_channel<int>;
  Scheduler::run([&] {
    for (auto _ : state) {
      std::atomic<bool> stop{false};
      channel in(128);
      channel out(128);
      std::vector<boost::fibers::fiber> crew;
      for (int i = 0; i < select_workers; ++i) {
        crew.emplace_back([&] {
          for (int job = 0; !stop && in.pop(job) == boost::fibers::channel_op_status::success;) out.push(job * 2);
        });
      }
      crew.emplace_back([&] {
        for (std::int64_t i = 0; i < jobs; ++i) in.push(1);
      });
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < jobs; ++i) sum += out.value_pop();
      if (sum != 2 * jobs) state.SkipWithError("lost a job");
      stop = true;
      in.close();
      for (auto& member : crew) member.join();
    }
  });
  bench::per_op(state, jobs);
}
BENCHMARK(worker_select_boost<bench::round_robin>)->Name("worker_select/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(worker_select_boost<bench::work_stealing>)
    ->Name("worker_select/boost_fiber_stealing2")
    ->Apply(bench::wall_clock);

void worker_select_threads(State& state) {
  for (auto _ : state) {
    std::atomic<bool> stop{false};
    bench::bounded_queue<int> in(queue_capacity);
    bench::bounded_queue<int> out(queue_capacity);
    std::vector<std::thread> crew;
    for (int i = 0; i < select_workers; ++i) {
      crew.emplace_back([&] {
        while (!stop) {
          const auto job = in.pop();
          if (!job) break;
          out.push(*job * 2);
        }
      });
    }
    crew.emplace_back([&] {
      for (std::int64_t i = 0; i < jobs; ++i) in.push(1);
    });
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < jobs; ++i) sum += *out.pop();
    if (sum != 2 * jobs) state.SkipWithError("lost a job");
    stop = true;
    in.close();
    for (auto& member : crew) member.join();
  }
  bench::per_op(state, jobs);
}
BENCHMARK(worker_select_threads)->Name("worker_select/std_thread")->Apply(bench::wall_clock);

}  // namespace
