// Channels of int between fibers. per_op is
//   pingpong       one round trip: a message there and one back, over two rendezvous channels
//   rendezvous     one message from one fiber to another over a rendezvous channel
//   buffered       the same over a channel of the given capacity
//   send_recv      one send and the receive of the same value by the same fiber: nobody waits
//   mpmc           one message from any of `side` producers to any of as many consumers; capacity 100
//   mpmc_work      the same with four of each, where a message keeps its consumer computing for `us` microseconds
//   buffered_work  the same with one of each, where it keeps its producer computing for as long, too
//   try_send_full  one attempt to send to a full channel
//   try_recv_empty one attempt to receive from an empty channel
// Boost.Fiber's buffered channel takes powers of two and holds one less. For 1, 100 and 1000 it gets 2, 128
// and 1024.
#include "support/bounded_queue.hpp"
#include "support/counters.hpp"
#include "support/spool_runtime.hpp"
#include "support/stock_fibers.hpp"
#include "support/work.hpp"

#include <benchmark/benchmark.h>
#include <oneapi/tbb/concurrent_queue.h>

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

using benchmark::State;

constexpr int batch = 10'000;
constexpr std::int64_t mpmc_messages = 100'000;
constexpr std::size_t mpmc_capacity = 100;
constexpr std::int64_t work_messages = 10'000;
constexpr std::int64_t work_side = 4;

std::size_t stock_capacity(std::size_t capacity) { return std::bit_ceil(capacity + 1); }

// Arguments of a row: threads where the row takes them, then capacity or side (the number of producers and of
// consumers).
void capacities(benchmark::internal::Benchmark* row) {
  bench::wall_clock(row->ArgName("capacity")->Arg(1)->Arg(100)->Arg(1000));
}
void threads_and_capacities(benchmark::internal::Benchmark* row) {
  bench::wall_clock(row->ArgNames({"threads", "capacity"})->ArgsProduct({{1, 2}, {1, 100, 1000}}));
}
void sides(benchmark::internal::Benchmark* row) { bench::wall_clock(row->ArgName("side")->Arg(4)->Arg(100)); }
void threads_and_sides(benchmark::internal::Benchmark* row) {
  bench::wall_clock(row->ArgNames({"threads", "side"})->ArgsProduct({{1, 2}, {4, 100}}));
}

// ---- pingpong ----

void pingpong_spool(State& state) {
  bench::in_runtime(state, [&] {
    const spool::channel<int> there;
    const spool::channel<int> back;
    spool::wait_group partner;
    partner.go([there, back] {
      for (int value : there) {
        if (!back.send(value)) break;
      }
    });
    for (auto _ : state) {
      benchmark::DoNotOptimize(there.send(1));
      benchmark::DoNotOptimize(*back.recv());
    }
    there.close();
    partner.wait();
  });
  bench::per_op(state);
}
BENCHMARK(pingpong_spool)->Name("pingpong/spool")->Apply(bench::on_1_and_2_threads);

template <class Scheduler>
void pingpong_boost(State& state) {
  Scheduler::run([&] {
    boost::fibers::unbuffered_channel<int> there;
    boost::fibers::unbuffered_channel<int> back;
    boost::fibers::fiber partner([&] {
      for (int value : there) back.push(value);
    });
    for (auto _ : state) {
      there.push(1);
      benchmark::DoNotOptimize(back.value_pop());
    }
    there.close();
    partner.join();
  });
  bench::per_op(state);
}
BENCHMARK(pingpong_boost<bench::round_robin>)->Name("pingpong/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(pingpong_boost<bench::work_stealing>)->Name("pingpong/boost_fiber_stealing2")->Apply(bench::wall_clock);

void pingpong_threads(State& state) {
  bench::bounded_queue<int> there(1);
  bench::bounded_queue<int> back(1);
  std::thread partner([&] {
    while (auto value = there.pop()) back.push(*value);
  });
  for (auto _ : state) {
    there.push(1);
    benchmark::DoNotOptimize(*back.pop());
  }
  there.close();
  partner.join();
  bench::per_op(state);
}
BENCHMARK(pingpong_threads)->Name("pingpong/std_thread")->Apply(bench::wall_clock);

// ---- rendezvous and buffered: one producer, one consumer ----

void stream_spool(State& state, std::size_t capacity) {
  bench::in_runtime(state, [&] {
    const spool::channel<int> stream(capacity);
    spool::wait_group producer;
    producer.go([stream] {
      for (int i = 0; stream.send(i); ++i) {
      }
    });
    for (auto _ : state) {
      for (int i = 0; i < batch; ++i) benchmark::DoNotOptimize(*stream.recv());
    }
    stream.close();
    producer.wait();
  });
  bench::per_op(state, batch);
}
void rendezvous_spool(State& state) { stream_spool(state, 0); }
void buffered_spool(State& state) { stream_spool(state, static_cast<std::size_t>(state.range(1))); }
BENCHMARK(rendezvous_spool)->Name("rendezvous/spool")->Apply(bench::on_1_and_2_threads);
BENCHMARK(buffered_spool)->Name("buffered/spool")->Apply(threads_and_capacities);

template <class Scheduler, class Channel>
void stream_boost(State& state, Channel& stream) {
  Scheduler::run([&] {
    boost::fibers::fiber producer([&] {
      for (int i = 0; stream.push(i) == boost::fibers::channel_op_status::success; ++i) {
      }
    });
    for (auto _ : state) {
      for (int i = 0; i < batch; ++i) benchmark::DoNotOptimize(stream.value_pop());
    }
    stream.close();
    producer.join();
  });
  bench::per_op(state, batch);
}
template <class Scheduler>
void rendezvous_boost(State& state) {
  boost::fibers::unbuffered_channel<int> stream;
  stream_boost<Scheduler>(state, stream);
}
template <class Scheduler>
void buffered_boost(State& state) {
  boost::fibers::buffered_channel<int> stream(stock_capacity(static_cast<std::size_t>(state.range(0))));
  stream_boost<Scheduler>(state, stream);
}
BENCHMARK(rendezvous_boost<bench::round_robin>)->Name("rendezvous/boost_fiber")->Apply(bench::wall_clock);
BENCHMARK(rendezvous_boost<bench::work_stealing>)->Name("rendezvous/boost_fiber_stealing2")->Apply(bench::wall_clock);
BENCHMARK(buffered_boost<bench::round_robin>)->Name("buffered/boost_fiber")->Apply(capacities);
BENCHMARK(buffered_boost<bench::work_stealing>)->Name("buffered/boost_fiber_stealing2")->Apply(capacities);

void buffered_threads(State& state) {
  bench::bounded_queue<int> stream(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    std::thread producer([&] {
      for (int i = 0; i < batch; ++i) stream.push(i);
    });
    for (int i = 0; i < batch; ++i) benchmark::DoNotOptimize(*stream.pop());
    producer.join();
  }
  bench::per_op(state, batch);
}
BENCHMARK(buffered_threads)->Name("buffered/std_thread")->Apply(capacities);

void buffered_tbb(State& state) {
  tbb::concurrent_bounded_queue<int> stream;
  stream.set_capacity(state.range(0));
  for (auto _ : state) {
    std::thread producer([&] {
      for (int i = 0; i < batch; ++i) stream.push(i);
    });
    for (int i = 0, value = 0; i < batch; ++i) {
      stream.pop(value);
      benchmark::DoNotOptimize(value);
    }
    producer.join();
  }
  bench::per_op(state, batch);
}
BENCHMARK(buffered_tbb)->Name("buffered/tbb_bounded_queue")->Apply(capacities);

// ---- send_recv ----

void send_recv_spool(State& state) {
  bench::in_runtime(state, [&] {
    const spool::channel<int> buffer(100);
    for (auto _ : state) {
      benchmark::DoNotOptimize(buffer.send(1));
      benchmark::DoNotOptimize(*buffer.recv());
    }
  });
  bench::per_op(state);
}
BENCHMARK(send_recv_spool)->Name("send_recv/spool")->Apply(bench::on_1_and_2_threads);

void send_recv_boost(State& state) {
  bench::round_robin::run([&] {
    boost::fibers::buffered_channel<int> buffer(128);
    for (auto _ : state) {
      buffer.push(1);
      benchmark::DoNotOptimize(buffer.value_pop());
    }
  });
  bench::per_op(state);
}
BENCHMARK(send_recv_boost)->Name("send_recv/boost_fiber")->Apply(bench::wall_clock);

void send_recv_threads(State& state) {
  bench::bounded_queue<int> buffer(100);
  for (auto _ : state) {
    buffer.push(1);
    benchmark::DoNotOptimize(*buffer.pop());
  }
  bench::per_op(state);
}
BENCHMARK(send_recv_threads)->Name("send_recv/mutex_queue")->Apply(bench::wall_clock);

void send_recv_tbb(State& state) {
  tbb::concurrent_bounded_queue<int> buffer;
  buffer.set_capacity(100);
  for (auto _ : state) {
    int value = 0;
    buffer.push(1);
    buffer.pop(value);
    benchmark::DoNotOptimize(value);
  }
  bench::per_op(state);
}
BENCHMARK(send_recv_tbb)->Name("send_recv/tbb_bounded_queue")->Apply(bench::wall_clock);

// ---- mpmc ----

template <class Work>
void many_to_many(std::int64_t side, std::int64_t messages, Work work) {
  const spool::channel<int> shared(mpmc_capacity);
  spool::wait_group producers;
  spool::wait_group consumers;
  for (std::int64_t i = 0; i < side; ++i) {
    consumers.go([shared, work] {
      for (int value : shared) {
        benchmark::DoNotOptimize(value);
        work();
      }
    });
    producers.go([shared, share = messages / side] {
      for (std::int64_t k = 0; k < share; ++k) benchmark::DoNotOptimize(shared.send(1));
    });
  }
  producers.wait();
  shared.close();
  consumers.wait();
}

void mpmc_spool(State& state) {
  bench::in_runtime(state, [&] {
    for (auto _ : state) many_to_many(state.range(1), mpmc_messages, [] {});
  });
  bench::per_op(state, mpmc_messages);
}
BENCHMARK(mpmc_spool)->Name("mpmc/spool")->Apply(threads_and_sides);

template <class Scheduler>
void mpmc_boost(State& state) {
  const std::int64_t side = state.range(0);
  Scheduler::run([&] {
    for (auto _ : state) {
      boost::fibers::buffered_channel<int> shared(stock_capacity(mpmc_capacity));
      std::vector<boost::fibers::fiber> producers;
      std::vector<boost::fibers::fiber> consumers;
      for (std::int64_t i = 0; i < side; ++i) {
        consumers.emplace_back([&shared] {
          for (int value : shared) benchmark::DoNotOptimize(value);
        });
        producers.emplace_back([&shared, share = mpmc_messages / side] {
          for (std::int64_t k = 0; k < share; ++k) shared.push(1);
        });
      }
      for (auto& producer : producers) producer.join();
      shared.close();
      for (auto& consumer : consumers) consumer.join();
    }
  });
  bench::per_op(state, mpmc_messages);
}
BENCHMARK(mpmc_boost<bench::round_robin>)->Name("mpmc/boost_fiber")->Apply(sides);
BENCHMARK(mpmc_boost<bench::work_stealing>)->Name("mpmc/boost_fiber_stealing2")->Apply(sides);

void mpmc_threads(State& state) {
  const std::int64_t side = state.range(0);
  for (auto _ : state) {
    bench::bounded_queue<int> shared(mpmc_capacity);
    std::vector<std::thread> producers;
    std::vector<std::thread> consumers;
    for (std::int64_t i = 0; i < side; ++i) {
      consumers.emplace_back([&shared] {
        while (auto value = shared.pop()) benchmark::DoNotOptimize(*value);
      });
      producers.emplace_back([&shared, share = mpmc_messages / side] {
        for (std::int64_t k = 0; k < share; ++k) shared.push(1);
      });
    }
    for (auto& producer : producers) producer.join();
    shared.close();
    for (auto& consumer : consumers) consumer.join();
  }
  bench::per_op(state, mpmc_messages);
}
BENCHMARK(mpmc_threads)->Name("mpmc/std_thread")->Apply(sides);

void mpmc_tbb(State& state) {
  const std::int64_t side = state.range(0);
  for (auto _ : state) {
    tbb::concurrent_bounded_queue<int> shared;
    shared.set_capacity(mpmc_capacity);
    std::vector<std::thread> threads;
    for (std::int64_t i = 0; i < side; ++i) {
      threads.emplace_back([&shared, share = mpmc_messages / side] {
        for (std::int64_t k = 0; k < share; ++k) shared.push(1);
      });
      threads.emplace_back([&shared, share = mpmc_messages / side] {
        int value = 0;
        for (std::int64_t k = 0; k < share; ++k) shared.pop(value);
        benchmark::DoNotOptimize(value);
      });
    }
    for (auto& thread : threads) thread.join();
  }
  bench::per_op(state, mpmc_messages);
}
BENCHMARK(mpmc_tbb)->Name("mpmc/tbb_bounded_queue")->Apply(sides);

// ---- messages that take work ----

void threads_and_work(benchmark::internal::Benchmark* row) {
  bench::wall_clock(row->ArgNames({"threads", "us"})->ArgsProduct({{1, 2}, {1, 10}}));
}

void mpmc_work(State& state) {
  const auto rounds = bench::rounds_in(std::chrono::microseconds(state.range(1)));
  bench::in_runtime(state, [&] {
    for (auto _ : state) many_to_many(work_side, work_messages, [rounds] { bench::spin(rounds); });
  });
  bench::per_op(state, work_messages);
}
BENCHMARK(mpmc_work)->Name("mpmc_work/spool")->Apply(threads_and_work);

void buffered_work(State& state) {
  const auto rounds = bench::rounds_in(std::chrono::microseconds(state.range(1)));
  bench::in_runtime(state, [&] {
    const spool::channel<int> stream(mpmc_capacity);
    spool::wait_group producer;
    producer.go([stream, rounds] {
      do {
        bench::spin(rounds);
      } while (stream.send(1));
    });
    for (auto _ : state) {
      for (std::int64_t i = 0; i < work_messages; ++i) {
        benchmark::DoNotOptimize(*stream.recv());
        bench::spin(rounds);
      }
    }
    stream.close();
    producer.wait();
  });
  bench::per_op(state, work_messages);
}
BENCHMARK(buffered_work)->Name("buffered_work/spool")->Apply(threads_and_work);

// ---- try_send_full, try_recv_empty ----

void try_send_full_spool(State& state) {
  bench::in_runtime(state, [&] {
    const spool::channel<int> full(1);
    benchmark::DoNotOptimize(full.send(1));
    for (auto _ : state) benchmark::DoNotOptimize(full.try_send(2));
  });
  bench::per_op(state);
}
BENCHMARK(try_send_full_spool)->Name("try_send_full/spool")->Apply(bench::on_1_and_2_threads);

void try_send_full_boost(State& state) {
  bench::round_robin::run([&] {
    boost::fibers::buffered_channel<int> full(2);
    full.push(1);
    for (auto _ : state) benchmark::DoNotOptimize(full.try_push(2));
  });
  bench::per_op(state);
}
BENCHMARK(try_send_full_boost)->Name("try_send_full/boost_fiber")->Apply(bench::wall_clock);

void try_send_full_threads(State& state) {
  bench::bounded_queue<int> full(1);
  full.push(1);
  for (auto _ : state) benchmark::DoNotOptimize(full.try_push(2));
  bench::per_op(state);
}
BENCHMARK(try_send_full_threads)->Name("try_send_full/mutex_queue")->Apply(bench::wall_clock);

void try_send_full_tbb(State& state) {
  tbb::concurrent_bounded_queue<int> full;
  full.set_capacity(1);
  full.push(1);
  for (auto _ : state) benchmark::DoNotOptimize(full.try_push(2));
  bench::per_op(state);
}
BENCHMARK(try_send_full_tbb)->Name("try_send_full/tbb_bounded_queue")->Apply(bench::wall_clock);

void try_recv_empty_spool(State& state) {
  bench::in_runtime(state, [&] {
    const spool::channel<int> empty(1);
    for (auto _ : state) benchmark::DoNotOptimize(empty.try_recv());
  });
  bench::per_op(state);
}
BENCHMARK(try_recv_empty_spool)->Name("try_recv_empty/spool")->Apply(bench::on_1_and_2_threads);

void try_recv_empty_boost(State& state) {
  bench::round_robin::run([&] {
    boost::fibers::buffered_channel<int> empty(2);
    int value = 0;
    for (auto _ : state) benchmark::DoNotOptimize(empty.try_pop(value));
  });
  bench::per_op(state);
}
BENCHMARK(try_recv_empty_boost)->Name("try_recv_empty/boost_fiber")->Apply(bench::wall_clock);

void try_recv_empty_tbb(State& state) {
  tbb::concurrent_bounded_queue<int> empty;
  int value = 0;
  for (auto _ : state) benchmark::DoNotOptimize(empty.try_pop(value));
  bench::per_op(state);
}
BENCHMARK(try_recv_empty_tbb)->Name("try_recv_empty/tbb_bounded_queue")->Apply(bench::wall_clock);

}  // namespace
