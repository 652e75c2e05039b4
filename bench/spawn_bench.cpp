// Starting fibers and switching between them. per_op is
//   spawn_join     one fiber started and waited for
//   spawn_1000     one of 1,000 fibers that are started at once and waited for together
//   yield          one yield, while eight fibers do nothing else
//   yield_alone    one yield of a fiber that is alone
//   ring           one hop of a token through 1,000 fibers joined by rendezvous channels
//   skynet         one of the 1,111,111 fibers of a tree that sums 0..999,999; an iteration is the whole tree
//   sleepers_100k  one of 100,000 fibers that sleep for 1 to 100 ms; an iteration takes 100 ms at the least
#include "support/counters.hpp"
#include "support/spool_runtime.hpp"
#include "support/stock_fibers.hpp"

#include <benchmark/benchmark.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <boost/fiber/pooled_fixedsize_stack.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using benchmark::State;

constexpr int crowd = 1000;
constexpr int yielders = 8;
constexpr int yields_each = 1000;
constexpr int laps = 10;
constexpr std::uint64_t skynet_leaves = 1'000'000;
constexpr std::uint64_t skynet_sum = skynet_leaves * (skynet_leaves - 1) / 2;
constexpr std::int64_t skynet_fibers = 1'111'111;
constexpr int sleepers_count = 100'000;

std::chrono::milliseconds nap(int i) { return std::chrono::milliseconds(1 + i % 100); }

// ---- spawn_join ----

void spawn_join_spool(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) {
      spool::wait_group group;
      group.go([] {});
      group.wait();
    }
  });
  bench::per_op(state);
}
BENCHMARK(spawn_join_spool)->Name("spawn_join/spool")->Apply(bench::on_1_and_2_threads);

void spawn_join_spool_async(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) {
      auto answer = spool::async([] { return 42; });
      benchmark::DoNotOptimize(answer.get());
    }
  });
  bench::per_op(state);
}
BENCHMARK(spawn_join_spool_async)->Name("spawn_join/spool_async")->Apply(bench::on_1_and_2_threads);

template <class Scheduler>
void spawn_join_boost(State& state) {
  Scheduler::run([&] {
    for (auto _ : state) boost::fibers::fiber([] {}).join();
  });
  bench::per_op(state);
}
BENCHMARK(spawn_join_boost<bench::round_robin>)->Name("spawn_join/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(spawn_join_boost<bench::work_stealing>)->Name("spawn_join/boost_fiber_stealing2")->Apply(bench::wall_clock);

void spawn_join_boost_pooled(State& state) {
  bench::round_robin::run([&] {
    boost::fibers::pooled_fixedsize_stack stacks;
    for (auto _ : state) boost::fibers::fiber(std::allocator_arg, stacks, [] {}).join();
  });
  bench::per_op(state);
}
BENCHMARK(spawn_join_boost_pooled)->Name("spawn_join/boost_fiber_pooled_stack")->Apply(bench::wall_clock);

void spawn_join_thread(State& state) {
  for (auto _ : state) std::thread([] {}).join();
  bench::per_op(state);
}
BENCHMARK(spawn_join_thread)->Name("spawn_join/std_thread")->Apply(bench::wall_clock);

// ---- spawn_1000 ----

void spawn_1000_spool(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) {
      spool::wait_group group;
      for (int i = 0; i < crowd; ++i) group.go([] {});
      group.wait();
    }
  });
  bench::per_op(state, crowd);
}
BENCHMARK(spawn_1000_spool)->Name("spawn_1000/spool")->Apply(bench::on_1_and_2_threads);

template <class Scheduler>
void spawn_1000_boost(State& state) {
  Scheduler::run([&] {
    for (auto _ : state) {
      std::vector<boost::fibers::fiber> fibers;
      fibers.reserve(crowd);
      for (int i = 0; i < crowd; ++i) fibers.emplace_back([] {});
      for (auto& fiber : fibers) fiber.join();
    }
  });
  bench::per_op(state, crowd);
}
BENCHMARK(spawn_1000_boost<bench::round_robin>)->Name("spawn_1000/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(spawn_1000_boost<bench::work_stealing>)->Name("spawn_1000/boost_fiber_stealing2")->Apply(bench::wall_clock);

void spawn_1000_tbb(State& state) {
  tbb::task_arena arena(static_cast<int>(state.range(0)));
  arena.execute([&] {
    for (auto _ : state) {
      tbb::task_group group;
      for (int i = 0; i < crowd; ++i) group.run([] {});
      group.wait();
    }
  });
  bench::per_op(state, crowd);
}
BENCHMARK(spawn_1000_tbb)->Name("spawn_1000/tbb_task_group")->Apply(bench::on_1_and_2_threads);

// ---- yield ----

void yield_spool(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) {
      spool::wait_group group;
      for (int i = 0; i < yielders; ++i) {
        group.go([] {
          for (int k = 0; k < yields_each; ++k) spool::this_fiber::yield();
        });
      }
      group.wait();
    }
  });
  bench::per_op(state, yielders * yields_each);
}
BENCHMARK(yield_spool)->Name("yield/spool")->Apply(bench::on_1_and_2_threads);

template <class Scheduler>
void yield_boost(State& state) {
  Scheduler::run([&] {
    for (auto _ : state) {
      std::array<boost::fibers::fiber, yielders> fibers;
      for (auto& fiber : fibers) {
        fiber = boost::fibers::fiber([] {
          for (int k = 0; k < yields_each; ++k) boost::this_fiber::yield();
        });
      }
      for (auto& fiber : fibers) fiber.join();
    }
  });
  bench::per_op(state, yielders * yields_each);
}
BENCHMARK(yield_boost<bench::round_robin>)->Name("yield/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(yield_boost<bench::work_stealing>)->Name("yield/boost_fiber_stealing2")->Apply(bench::wall_clock);

void yield_thread(State& state) {
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (int i = 0; i < yielders; ++i) {
      threads.emplace_back([] {
        for (int k = 0; k < yields_each; ++k) std::this_thread::yield();
      });
    }
    for (auto& thread : threads) thread.join();
  }
  bench::per_op(state, yielders * yields_each);
}
BENCHMARK(yield_thread)->Name("yield/std_thread")->Apply(bench::wall_clock);

void yield_alone_spool(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) spool::this_fiber::yield();
  });
  bench::per_op(state);
}
BENCHMARK(yield_alone_spool)->Name("yield_alone/spool")->Apply(bench::on_1_and_2_threads);

void yield_alone_boost(State& state) {
  bench::round_robin::run([&] {
    for (auto _ : state) boost::this_fiber::yield();
  });
  bench::per_op(state);
}
BENCHMARK(yield_alone_boost)->Name("yield_alone/boost_fiber")->Apply(bench::wall_clock);

// ---- ring ----

void ring_spool(State& state) {
  bench::in_runtime(state, [&] {
    const spool::channel<int> first;
    auto in = first;
    spool::wait_group members;
    for (int i = 0; i < crowd; ++i) {
      const spool::channel<int> out;
      members.go([in, out] {
        for (int token : in) {
          if (!out.send(token)) break;
        }
        out.close();
      });
      in = out;
    }
    for (auto _ : state) {
      for (int lap = 0; lap < laps; ++lap) {
        benchmark::DoNotOptimize(first.send(lap));
        benchmark::DoNotOptimize(*in.recv());
      }
    }
    first.close();
    members.wait();
  });
  bench::per_op(state, std::int64_t{laps} * (crowd + 1));
}
BENCHMARK(ring_spool)->Name("ring/spool")->Apply(bench::on_1_and_2_threads);

template <class Scheduler>
void ring_boost(State& state) {
  using channel = boost::fibers::unbuffered_channel<int>;
  Scheduler::run([&] {
    std::vector<std::unique_ptr<channel>> links;
    for (int i = 0; i <= crowd; ++i) links.push_back(std::make_unique<channel>());
    std::vector<boost::fibers::fiber> members;
    for (std::size_t i = 0; i < crowd; ++i) {
      members.emplace_back([&in = *links[i], &out = *links[i + 1]] {
        for (int token : in) out.push(token);
        out.close();
      });
    }
    for (auto _ : state) {
      for (int lap = 0; lap < laps; ++lap) {
        links.front()->push(lap);
        benchmark::DoNotOptimize(links.back()->value_pop());
      }
    }
    links.front()->close();
    for (auto& member : members) member.join();
  });
  bench::per_op(state, std::int64_t{laps} * (crowd + 1));
}
BENCHMARK(ring_boost<bench::round_robin>)->Name("ring/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(ring_boost<bench::work_stealing>)->Name("ring/boost_fiber_stealing2")->Apply(bench::wall_clock);

// ---- skynet ----

void skynet_node(const spool::channel<std::uint64_t>& up, std::uint64_t first, std::uint64_t size) {
  if (size == 1) {
    benchmark::DoNotOptimize(up.send(first));
    return;
  }
  const spool::channel<std::uint64_t> sums;
  for (std::uint64_t i = 0; i < 10; ++i) {
    spool::go([sums, child = first + i * (size / 10), size] { skynet_node(sums, child, size / 10); });
  }
  std::uint64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += *sums.recv();
  benchmark::DoNotOptimize(up.send(sum));
}

void skynet_spool(State& state) {
  bench::in_runtime(state, [&] {
    bench::after_a_round(state, [&] {
      const spool::channel<std::uint64_t> top;
      spool::go([top] { skynet_node(top, 0, skynet_leaves); });
      if (*top.recv() != skynet_sum) state.SkipWithError("wrong sum");
    });
  });
  bench::per_op(state, skynet_fibers);
}
BENCHMARK(skynet_spool)->Name("skynet/spool")->Apply(bench::heavy_on_1_and_2_threads);

// As in Boost.Fiber's own skynet: launch::dispatch walks the tree depth first, or a million stacks would live
// at once.
template <class Stacks>
void skynet_node_boost(Stacks& stacks, boost::fibers::buffered_channel<std::uint64_t>& up, std::uint64_t first,
                       std::uint64_t size) {
  if (size == 1) {
    up.push(first);
    return;
  }
  boost::fibers::buffered_channel<std::uint64_t> sums(16);
  std::array<boost::fibers::fiber, 10> children;
  for (std::uint64_t i = 0; i < 10; ++i) {
    children[i] = boost::fibers::fiber(boost::fibers::launch::dispatch, std::allocator_arg, stacks,
                                       [&, i] { skynet_node_boost(stacks, sums, first + i * (size / 10), size / 10); });
  }
  std::uint64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += sums.value_pop();
  for (auto& child : children) child.join();
  up.push(sum);
}

// The pool of stacks is not thread-safe: one thread may use it, work_stealing may not.
template <class Scheduler, class Stacks>
void skynet_boost(State& state) {
  Scheduler::run([&] {
    Stacks stacks;
    bench::after_a_round(state, [&] {
      boost::fibers::buffered_channel<std::uint64_t> top(2);
      boost::fibers::fiber root(std::allocator_arg, stacks, [&] { skynet_node_boost(stacks, top, 0, skynet_leaves); });
      if (top.value_pop() != skynet_sum) state.SkipWithError("wrong sum");
      root.join();
    });
  });
  bench::per_op(state, skynet_fibers);
}
BENCHMARK(skynet_boost<bench::round_robin, boost::fibers::pooled_fixedsize_stack>)
    ->Name("skynet/boost_fiber_pooled_stack")
    ->Apply(bench::heavy);
BENCHMARK(skynet_boost<bench::work_stealing, boost::fibers::fixedsize_stack>)
    ->Name("skynet/boost_fiber_stealing2")
    ->Apply(bench::heavy);

std::uint64_t skynet_node_tbb(std::uint64_t first, std::uint64_t size) {
  if (size == 1) return first;
  std::array<std::uint64_t, 10> sums{};
  tbb::task_group children;
  for (std::uint64_t i = 0; i < 10; ++i) {
    children.run([&sums, i, first, size] { sums[i] = skynet_node_tbb(first + i * (size / 10), size / 10); });
  }
  children.wait();
  std::uint64_t sum = 0;
  for (const auto part : sums) sum += part;
  return sum;
}

void skynet_tbb(State& state) {
  tbb::task_arena arena(static_cast<int>(state.range(0)));
  arena.execute([&] {
    bench::after_a_round(state, [&] {
      if (skynet_node_tbb(0, skynet_leaves) != skynet_sum) state.SkipWithError("wrong sum");
    });
  });
  bench::per_op(state, skynet_fibers);
}
BENCHMARK(skynet_tbb)->Name("skynet/tbb_task_group")->Apply(bench::heavy_on_1_and_2_threads);

// ---- sleepers ----

void sleepers_spool(State& state) {
  bench::in_runtime(state, [&] {
    bench::after_a_round(state, [] {
      spool::wait_group group;
      for (int i = 0; i < sleepers_count; ++i) group.go([i] { spool::this_fiber::sleep_for(nap(i)); });
      group.wait();
    });
  });
  bench::per_op(state, sleepers_count);
}
BENCHMARK(sleepers_spool)->Name("sleepers_100k/spool")->Apply(bench::heavy_on_1_and_2_threads);

void sleepers_boost(State& state) {
  bench::round_robin::run([&] {
    bench::after_a_round(state, [] {
      std::vector<boost::fibers::fiber> fibers;
      fibers.reserve(sleepers_count);
      for (int i = 0; i < sleepers_count; ++i) fibers.emplace_back([i] { boost::this_fiber::sleep_for(nap(i)); });
      for (auto& fiber : fibers) fiber.join();
    });
  });
  bench::per_op(state, sleepers_count);
}
BENCHMARK(sleepers_boost)->Name("sleepers_100k/boost_fiber")->Apply(bench::heavy);

}  // namespace
