// Tasks that mostly wait: each waits 50 ms, 20 times over. Two ways to wait: sleep, and receive the reply of a timer from a channel.
#include <spool/spool.hpp>

#include <chrono>
#include <cstddef>

#include "report.hpp"

namespace {

using namespace waiting_tasks;

void run_tasks(std::size_t tasks, bool reply, lateness& late) {
  spool::wait_group all;
  for (std::size_t i = 0; i < tasks; ++i) {
    all.go([reply, &late] {
      const auto start = lateness::clock::now();
      for (int n = 0; n < waits; ++n) {
        if (reply) {
          (void)spool::after(wait_time).recv();
        } else {
          spool::this_fiber::sleep_for(wait_time);
        }
      }
      late.add(lateness::clock::now() - start);
    });
  }
  all.wait();
}

}  // namespace

int main(int argc, char** argv) {
  spool::runtime runtime({.threads = 2});
  return report(argc, argv, "spool", [&](std::size_t tasks, bool reply, lateness& late) {
    runtime.run([&] { run_tasks(tasks, reply, late); });
  });
}
