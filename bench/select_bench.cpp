// select over two channels. per_op is
//   select_ready      one send to one of two buffered channels and the select that receives it: nobody waits
//   select_contended  one message over either of two rendezvous channels, where two fibers select to send and
//                     two select to receive
// Boost.Fiber has no select. What its users write for "the next from either" is one mutex and one condition
// variable over two queues; that takes the rival's place, though it can neither rendezvous nor choose between
// sends.
#include "support/counters.hpp"
#include "support/spool_runtime.hpp"
#include "support/stock_fibers.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using benchmark::State;

constexpr std::int64_t messages = 10'000;
constexpr std::int64_t pairs = 2;

template <class Mutex, class Condition>
class two_queues {
 public:
  explicit two_queues(std::size_t capacity) : capacity_(capacity) {}

  void push(std::size_t which, int value) {
    std::unique_lock<Mutex> lock(mu_);
    not_full_.wait(lock, [&] { return queues_[which].size() < capacity_; });
    queues_[which].push_back(value);
    lock.unlock();
    not_empty_.notify_one();
  }

  std::pair<std::size_t, int> pop_either() {
    std::unique_lock<Mutex> lock(mu_);
    not_empty_.wait(lock, [this] { return !queues_[0].empty() || !queues_[1].empty(); });
    const std::size_t which = queues_[turn_].empty() ? 1 - turn_ : turn_;
    turn_ = 1 - which;
    const int value = queues_[which].front();
    queues_[which].pop_front();
    lock.unlock();
    not_full_.notify_all();  // a waiter for the other queue may be the one that notify_one would pick
    return {which, value};
  }

 private:
  const std::size_t capacity_;
  Mutex mu_;  // guards queues_, turn_
  Condition not_full_;
  Condition not_empty_;
  std::array<std::deque<int>, 2> queues_;
  std::size_t turn_ = 0;
};
using fiber_queues = two_queues<boost::fibers::mutex, boost::fibers::condition_variable>;
using thread_queues = two_queues<std::mutex, std::condition_variable>;

// ---- select_ready ----

void select_ready_spool(State& state) {
  bench::in_runtime(state, [&] {
    const spool::channel<int> a(1);
    const spool::channel<int> b(1);
    bool to_a = true;
    std::int64_t sum = 0;
    for (auto _ : state) {
      benchmark::DoNotOptimize((to_a ? a : b).send(1));
      spool::select(spool::on_recv(a, [&](std::optional<int> v) { sum += *v; }),
                    spool::on_recv(b, [&](std::optional<int> v) { sum -= *v; }));
      to_a = !to_a;
    }
    benchmark::DoNotOptimize(sum);
  });
  bench::per_op(state);
}
BENCHMARK(select_ready_spool)->Name("select_ready/spool")->Apply(bench::on_1_and_2_threads);

template <class Queues>
void ready_loop(State& state) {
  Queues queues(1);
  std::size_t which = 0;
  for (auto _ : state) {
    queues.push(which, 1);
    benchmark::DoNotOptimize(queues.pop_either());
    which = 1 - which;
  }
}
void select_ready_boost(State& state) {
  bench::round_robin::run([&] { ready_loop<fiber_queues>(state); });
  bench::per_op(state);
}
void select_ready_threads(State& state) {
  ready_loop<thread_queues>(state);
  bench::per_op(state);
}
BENCHMARK(select_ready_boost)->Name("select_ready/boost_fiber_condition")->Apply(bench::wall_clock);
BENCHMARK(select_ready_threads)->Name("select_ready/std_condition")->Apply(bench::wall_clock);

// ---- select_contended ----

void select_contended_spool(State& state) {
  bench::in_runtime(state, [&] {
    const spool::channel<int> a;
    const spool::channel<int> b;
    for (auto _ : state) {
      spool::wait_group group;
      for (std::int64_t i = 0; i < pairs; ++i) {
        group.go([a, b] {
          for (std::int64_t k = 0; k < messages / pairs; ++k) {
            spool::select(spool::on_send(a, 1, [] {}), spool::on_send(b, 2, [] {}));
          }
        });
        group.go([a, b] {
          std::int64_t sum = 0;
          for (std::int64_t k = 0; k < messages / pairs; ++k) {
            spool::select(spool::on_recv(a, [&](std::optional<int> v) { sum += *v; }),
                          spool::on_recv(b, [&](std::optional<int> v) { sum -= *v; }));
          }
          benchmark::DoNotOptimize(sum);
        });
      }
      group.wait();
    }
  });
  bench::per_op(state, messages);
}
BENCHMARK(select_contended_spool)->Name("select_contended/spool")->Apply(bench::on_1_and_2_threads);

template <class Queues, class Thread>
void contended_loop(State& state) {
  Queues queues(1);
  for (auto _ : state) {
    std::vector<Thread> crowd;
    for (std::size_t i = 0; i < pairs; ++i) {
      crowd.emplace_back([&queues, i] {
        for (std::int64_t k = 0; k < messages / pairs; ++k) queues.push(i % 2, 1);
      });
      crowd.emplace_back([&queues] {
        for (std::int64_t k = 0; k < messages / pairs; ++k) benchmark::DoNotOptimize(queues.pop_either());
      });
    }
    for (auto& member : crowd) member.join();
  }
}
template <class Scheduler>
void select_contended_boost(State& state) {
  Scheduler::run([&] { contended_loop<fiber_queues, boost::fibers::fiber>(state); });
  bench::per_op(state, messages);
}
void select_contended_threads(State& state) {
  contended_loop<thread_queues, std::thread>(state);
  bench::per_op(state, messages);
}
BENCHMARK(select_contended_boost<bench::round_robin>)
    ->Name("select_contended/boost_fiber_condition")
    ->Apply(bench::wall_clock);
BENCHMARK(select_contended_boost<bench::work_stealing>)
    ->Name("select_contended/boost_fiber_condition_stealing2")
    ->Apply(bench::wall_clock);
BENCHMARK(select_contended_threads)->Name("select_contended/std_condition")->Apply(bench::wall_clock);

}  // namespace
