// A mutex shared by eight fibers, each locking it 1,000 times per iteration. per_op is one lock and unlock.
//   mutex_short  the holder increments a counter
//   mutex_held   the holder yields before it unlocks, so the seven others always wait
#include "support/counters.hpp"
#include "support/spool_runtime.hpp"
#include "support/stock_fibers.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using benchmark::State;

constexpr int lockers = 8;
constexpr int locks_each = 1000;
constexpr std::int64_t locks = std::int64_t{lockers} * locks_each;

template <class Mutex, class WhileHeld>
void lock_repeatedly(Mutex& mutex, std::int64_t& counter, WhileHeld while_held) {
  for (int i = 0; i < locks_each; ++i) {
    const std::lock_guard<Mutex> lock(mutex);
    benchmark::DoNotOptimize(++counter);
    while_held();
  }
}

template <class WhileHeld>
void mutex_spool(State& state, WhileHeld while_held) {
  bench::in_runtime(state, [&] {
    spool::mutex mutex;
    std::int64_t counter = 0;
    for (auto _ : state) {
      spool::wait_group group;
      for (int i = 0; i < lockers; ++i) group.go([&] { lock_repeatedly(mutex, counter, while_held); });
      group.wait();
    }
    if (counter != state.iterations() * locks) state.SkipWithError("lost an increment");
  });
  bench::per_op(state, locks);
}
void mutex_short_spool(State& state) {
  mutex_spool(state, [] {});
}
void mutex_held_spool(State& state) {
  mutex_spool(state, [] { spool::this_fiber::yield(); });
}
BENCHMARK(mutex_short_spool)->Name("mutex_short/spool")->Apply(bench::on_1_and_2_threads);
BENCHMARK(mutex_held_spool)->Name("mutex_held/spool")->Apply(bench::on_1_and_2_threads);

template <class Thread, class Mutex, class WhileHeld>
void mutex_loop(State& state, WhileHeld while_held) {
  Mutex mutex;
  std::int64_t counter = 0;
  for (auto _ : state) {
    std::vector<Thread> crowd;
    for (int i = 0; i < lockers; ++i) crowd.emplace_back([&] { lock_repeatedly(mutex, counter, while_held); });
    for (auto& member : crowd) member.join();
  }
  if (counter != state.iterations() * locks) state.SkipWithError("lost an increment");
}
template <class Scheduler>
void mutex_short_boost(State& state) {
  Scheduler::run([&] { mutex_loop<boost::fibers::fiber, boost::fibers::mutex>(state, [] {}); });
  bench::per_op(state, locks);
}
template <class Scheduler>
void mutex_held_boost(State& state) {
  Scheduler::run(
      [&] { mutex_loop<boost::fibers::fiber, boost::fibers::mutex>(state, [] { boost::this_fiber::yield(); }); });
  bench::per_op(state, locks);
}
void mutex_short_threads(State& state) {
  mutex_loop<std::thread, std::mutex>(state, [] {});
  bench::per_op(state, locks);
}
void mutex_held_threads(State& state) {
  mutex_loop<std::thread, std::mutex>(state, [] { std::this_thread::yield(); });
  bench::per_op(state, locks);
}
BENCHMARK(mutex_short_boost<bench::round_robin>)->Name("mutex_short/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(mutex_short_boost<bench::work_stealing>)->Name("mutex_short/boost_fiber_stealing2")->Apply(bench::wall_clock);
BENCHMARK(mutex_held_boost<bench::round_robin>)->Name("mutex_held/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(mutex_held_boost<bench::work_stealing>)->Name("mutex_held/boost_fiber_stealing2")->Apply(bench::wall_clock);
BENCHMARK(mutex_short_threads)->Name("mutex_short/std_thread")->Apply(bench::wall_clock);
BENCHMARK(mutex_held_threads)->Name("mutex_held/std_thread")->Apply(bench::wall_clock);

}  // namespace
