// Live fibers:
//   start_ns  starting one, until it waits
//   wake_ns   one is woken by a send and waits to receive again; they take turns, so all of them come to run
//   yield_ns  one yield, while all of them yield
//   each_bytes  resident memory and page tables, for each
#include "../support/process.hpp"
#include "growth.hpp"

#include <algorithm>
#include <atomic>

namespace {

constexpr std::int64_t least_operations = 1'000'000;

std::int64_t bytes_used() {
  const auto memory = bench::process_memory::now();
  return memory.resident_bytes + memory.page_table_bytes;
}

growth::metrics measure(std::int64_t fibers) {
  const std::int64_t rounds = std::max<std::int64_t>(2, least_operations / fibers);
  const spool::channel<int> wake;
  const spool::channel<int> yielding;
  std::atomic<std::int64_t> started{0};
  spool::wait_group crowd;

  const std::int64_t bytes_before = bytes_used();
  const growth::stopwatch starting;
  for (std::int64_t i = 0; i < fibers; ++i) {
    crowd.go([&] {
      started.fetch_add(1, std::memory_order_relaxed);
      while (wake.recv()) {
      }
      (void)yielding.recv();
      for (std::int64_t k = 0; k < rounds; ++k) spool::this_fiber::yield();
    });
  }
  while (started.load(std::memory_order_relaxed) < fibers) spool::this_fiber::yield();
  const double start_ns = starting.ns_each(fibers);
  const std::int64_t bytes = bytes_used() - bytes_before;

  const growth::stopwatch waking;
  for (std::int64_t i = 0; i < rounds * fibers; ++i) (void)wake.send(1);
  const double wake_ns = waking.ns_each(rounds * fibers);

  wake.close();
  for (int i = 0; i < 2; ++i) spool::this_fiber::yield();
  const growth::stopwatch yields;
  yielding.close();
  crowd.wait();
  return {{"start_ns", start_ns},
          {"wake_ns", wake_ns},
          {"yield_ns", yields.ns_each(rounds * fibers)},
          {"each_bytes", static_cast<double>(bytes) / static_cast<double>(fibers)}};
}

}  // namespace

int main(int count, char** arguments) {
  return growth::run(count, arguments, "growth_fibers", growth::one_two_five(1'000'000), measure);
}
