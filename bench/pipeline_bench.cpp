// A source, a stage and a sink that do next to nothing, so that what is measured is the way between them. per_op is one
// item through all three; `workers` are the stage's. Hand-written is what the pipeline is measured against: the same fibers and
// channels, without cancellation; `errgroup` is the same with a context at each operation, as one would write it in Go.
#include "support/counters.hpp"
#include "support/spool_runtime.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace {

using benchmark::State;

constexpr std::int64_t items = 200'000;
constexpr std::size_t capacity = 100;

void rows(benchmark::internal::Benchmark* row) {
  bench::wall_clock(
      row->ArgNames({"threads", "workers"})->ArgsProduct({{1, 2}, {1, 4}})->Unit(benchmark::kMillisecond));
}

std::size_t workers_of(const State& state) { return static_cast<std::size_t>(state.range(1)); }

void declarative(State& state, bool ordered) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) {
      std::int64_t sum = 0;
      spool::pipeline p;
      auto in = p.source<std::int64_t>({.capacity = capacity}, [](spool::sender<std::int64_t> out) {
        for (std::int64_t i = 0; i < items && out.send(i); ++i) {
        }
      });
      auto out = p.stage(in, {.workers = workers_of(state), .capacity = capacity, .ordered = ordered},
                         [](std::int64_t v) { return v + 1; });
      p.sink(out, {}, [&](std::int64_t v) { sum += v; });
      benchmark::DoNotOptimize(p.wait());
      benchmark::DoNotOptimize(sum);
    }
  });
  bench::per_op(state, items);
}
void unordered_pipeline(State& state) { declarative(state, false); }
void ordered_pipeline(State& state) { declarative(state, true); }
BENCHMARK(unordered_pipeline)->Name("pipeline/spool")->Apply(rows);
BENCHMARK(ordered_pipeline)->Name("pipeline/spool_ordered")->Apply(rows);

void by_hand(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) {
      std::int64_t sum = 0;
      spool::wait_group all;
      auto [in_tx, in] = spool::make_channel<std::int64_t>(capacity);
      auto [out_tx, out] = spool::make_channel<std::int64_t>(capacity);
      all.go([to = std::move(in_tx)] {
        for (std::int64_t i = 0; i < items && to.send(i); ++i) {
        }
      });
      for (std::size_t w = 0; w < workers_of(state); ++w) {
        all.go([from = in, to = out_tx] {
          while (auto v = from.recv()) {
            if (!to.send(*v + 1)) return;
          }
        });
      }
      { const auto dropped = std::move(out_tx); }
      all.go([from = std::move(out), &sum] {
        while (auto v = from.recv()) sum += *v;
      });
      all.wait();
      benchmark::DoNotOptimize(sum);
    }
  });
  bench::per_op(state, items);
}
BENCHMARK(by_hand)->Name("pipeline/by_hand")->Apply(rows);

void by_hand_with_context(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) {
      std::int64_t sum = 0;
      spool::errgroup all;
      const auto& ctx = all.context();
      auto [in_tx, in] = spool::make_channel<std::int64_t>(capacity);
      auto [out_tx, out] = spool::make_channel<std::int64_t>(capacity);
      all.go([&ctx, to = std::move(in_tx)] {
        for (std::int64_t i = 0; i < items && to.send(ctx, i) == spool::channel_status::ok; ++i) {
        }
      });
      for (std::size_t w = 0; w < workers_of(state); ++w) {
        all.go([&ctx, from = in, to = out_tx] {
          while (auto v = from.recv(ctx)) {
            if (to.send(ctx, *v + 1) != spool::channel_status::ok) return;
          }
        });
      }
      { const auto dropped = std::move(out_tx); }
      all.go([&ctx, from = std::move(out), &sum] {
        while (auto v = from.recv(ctx)) sum += *v;
      });
      benchmark::DoNotOptimize(all.wait());
      benchmark::DoNotOptimize(sum);
    }
  });
  bench::per_op(state, items);
}
BENCHMARK(by_hand_with_context)->Name("pipeline/by_hand_errgroup")->Apply(rows);

}  // namespace
