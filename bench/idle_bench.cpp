// The CPU time that a runtime with nothing to do uses: `cpu_percent` of one CPU, all threads, over a second.
//   idle_new     nothing was ever started
//   idle_parked  10,000 fibers have run and wait, one for a timer an hour away and the others for a channel
#include "support/process.hpp"
#include "support/spool_runtime.hpp"
#include "support/stock_fibers.hpp"

#include <benchmark/benchmark.h>
#include <oneapi/tbb/parallel_for.h>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstddef>
#include <thread>

namespace {

using namespace std::chrono_literals;
using benchmark::State;

// The busy end of what came before (spinning down, warm-up) is not idleness.
constexpr auto settle = 50ms;
constexpr auto window = 1s;

template <class Sleep>
void watch_idle(State& state, Sleep sleep) {
  double used = 0;
  double watched = 0;
  for (auto _ : state) {
    sleep(settle);
    const double cpu_before = bench::cpu_seconds();
    const bench::stopwatch watch;
    sleep(window);
    const double seconds = watch.seconds();
    used += bench::cpu_seconds() - cpu_before;
    watched += seconds;
    state.SetIterationTime(seconds);
  }
  state.counters["cpu_percent"] = 100 * used / watched;
}
const auto sleep_on_thread = [](auto duration) { std::this_thread::sleep_for(duration); };

void once_by_manual_clock(benchmark::internal::Benchmark* row) {
  row->Iterations(1)->Unit(benchmark::kMillisecond)->UseManualTime();
}
void on_1_and_2_threads(benchmark::internal::Benchmark* row) {
  once_by_manual_clock(row->ArgName("threads")->Arg(1)->Arg(2));
}

void idle_new_spool(State& state) {
  const spool::runtime rt(bench::with_threads(state));
  watch_idle(state, sleep_on_thread);
}
BENCHMARK(idle_new_spool)->Name("idle_new/spool")->Apply(on_1_and_2_threads);

void idle_parked_spool(State& state) {
  bench::in_runtime(state, [&] {
    const spool::cancel_scope scope = spool::with_cancel(spool::context::background());
    const spool::channel<int> gate;
    spool::wait_group crowd;
    crowd.go([ctx = scope.ctx()] { benchmark::DoNotOptimize(spool::this_fiber::sleep_for(ctx, 1h)); });
    for (int i = 0; i < 10'000; ++i) crowd.go([gate] { benchmark::DoNotOptimize(gate.recv()); });
    watch_idle(state, [](auto duration) { spool::this_fiber::sleep_for(duration); });
    gate.close();
    scope.cancel();
    crowd.wait();
  });
}
BENCHMARK(idle_parked_spool)->Name("idle_parked/spool")->Apply(on_1_and_2_threads);

// Waiting as a fiber keeps the thread inside its scheduler, as a service's main fiber would.
template <class Scheduler>
void idle_boost(State& state) {
  Scheduler::run([&] { watch_idle(state, [](auto duration) { boost::this_fiber::sleep_for(duration); }); });
}
BENCHMARK(idle_boost<bench::round_robin>)->Name("idle_new/boost_fiber")->Apply(once_by_manual_clock);
BENCHMARK(idle_boost<bench::work_stealing>)->Name("idle_new/boost_fiber_stealing2")->Apply(once_by_manual_clock);

void idle_asio(State& state) {
  boost::asio::thread_pool pool(static_cast<std::size_t>(state.range(0)));
  watch_idle(state, sleep_on_thread);
}
BENCHMARK(idle_asio)->Name("idle_new/asio_thread_pool")->Apply(on_1_and_2_threads);

void idle_tbb(State& state) {
  tbb::parallel_for(0, 1000, [](int i) { benchmark::DoNotOptimize(i); });  // starts its workers
  watch_idle(state, sleep_on_thread);
}
BENCHMARK(idle_tbb)->Name("idle_new/tbb")->Apply(once_by_manual_clock);

}  // namespace
