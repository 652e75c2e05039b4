// What spool.cpp and std_thread.cpp measure alike: time, CPU time and memory. One process measures one case, so that its peak is
// that of its case.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "../../support/process.hpp"

namespace waiting_tasks {

constexpr auto wait_time = std::chrono::milliseconds(50);
constexpr int waits = 20;

// How much longer than asked the waits of a task took, on average over all of them; each task adds its own.
class lateness {
 public:
  using clock = std::chrono::steady_clock;

  void add(clock::duration task_took) { total_ns_ += (task_took - waits * wait_time).count(); }
  double mean_us(std::size_t tasks) const {
    return static_cast<double>(total_ns_) / (static_cast<double>(tasks) * waits * 1000);
  }

 private:
  std::atomic<std::int64_t> total_ns_ = 0;
};

// In KiB, from the kernel: what the process has used at most. A thread's kernel stack and a page table are not in it.
inline double status_kib(std::string_view wanted) {
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    double kib = 0;
    if (key == wanted && status >> kib) return kib;
  }
  return 0;
}

// TASKS sleep|reply
template <class Run>
int report(int argc, char** argv, const char* system, Run run_tasks) {
  const std::string_view way = argc == 3 ? argv[2] : "";
  const std::size_t tasks = argc == 3 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (tasks == 0 || (way != "sleep" && way != "reply")) {
    std::fprintf(stderr, "usage: %s TASKS sleep|reply\n", argv[0]);
    return 1;
  }
  const double before_kib = status_kib("VmRSS:");
  const double cpu = bench::cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  lateness late;
  run_tasks(tasks, way == "reply", late);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double count = static_cast<double>(tasks);
  std::printf(
      R"({"row": "waiting_tasks", "case": "%zu %s", "system": "%s", "metrics": {"total_s": %.3f, )"
      R"("waits_per_s": %.0f, "cpu_per_wait_ns": %.0f, "late_us": %.0f, "per_task_bytes": %.0f, "peak_mib": %.1f}})"
      "\n",
      tasks, argv[2], system, seconds, count * waits / seconds, (bench::cpu_seconds() - cpu) * 1e9 / (count * waits),
      late.mean_us(tasks), (status_kib("VmHWM:") - before_kib) * 1024 / count, status_kib("VmHWM:") / 1024);
  return 0;
}

}  // namespace waiting_tasks
