// What a row reports besides the time of one iteration. An iteration often is a batch, so the figure to read
// and to compare is `per_op`: the console prints it with its unit (31.2ns), JSON and CSV hold seconds.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace bench {

// Call after the loop.
inline void per_op(benchmark::State& state, std::int64_t ops_per_iteration = 1) {
  const double ops = static_cast<double>(state.iterations()) * static_cast<double>(ops_per_iteration);
  state.counters["per_op"] = benchmark::Counter(ops, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// Fibers move between threads and the work is done by threads other than the one that owns the State: only
// the wall clock and the whole process's CPU time mean anything.
inline void wall_clock(benchmark::internal::Benchmark* row) { row->UseRealTime()->MeasureProcessCPUTime(); }

// Rows of spool and of the rivals that take a number of threads.
inline void on_1_and_2_threads(benchmark::internal::Benchmark* row) {
  wall_clock(row->ArgName("threads")->Arg(1)->Arg(2));
}

// Rows that take a second or so each: calibration would run them for minutes.
inline void heavy(benchmark::internal::Benchmark* row) {
  wall_clock(row->Iterations(3)->Unit(benchmark::kMillisecond));
}
inline void heavy_on_1_and_2_threads(benchmark::internal::Benchmark* row) {
  heavy(row->ArgName("threads")->Arg(1)->Arg(2));
}

// The measured loop of such a row, after a round that is not measured: the rivals in Go and Rust have one, too.
template <class Round>
void after_a_round(benchmark::State& state, Round round) {
  round();
  for (auto _ : state) round();
}

}  // namespace bench
