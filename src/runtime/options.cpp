#include "options.hpp"

#include <fmt/format.h>

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace spool::detail {
namespace {

constexpr std::size_t most_threads = 1024;
constexpr std::size_t least_stack_bytes = 16 * 1024;
constexpr std::size_t most_stack_bytes = std::size_t{1} << 30;
constexpr std::size_t most_blocking_threads = 16384;

/// CPUs that the cgroup's bandwidth limit amounts to; 0 without one.
std::size_t cgroup_quota() {
  std::ifstream membership("/proc/self/cgroup");
  std::string line;
  std::string path;
  while (std::getline(membership, line)) {
    if (line.rfind("0::", 0) == 0) path = line.substr(3);
  }
  std::ifstream limit("/sys/fs/cgroup" + path + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(limit >> quota >> period) || quota == "max" || period <= 0) return 0;
  const double microseconds = std::strtod(quota.c_str(), nullptr);
  return microseconds <= 0 ? 0 : static_cast<std::size_t>((microseconds + period - 1) / period);
}

std::size_t threads_from_environment() {
  const char* text = std::getenv("SPOOL_THREADS");
  if (text == nullptr || *text == '\0') return 0;
  const std::string_view view(text);
  std::size_t threads = 0;
  const auto [end, failure] = std::from_chars(view.data(), view.data() + view.size(), threads);
  if (failure != std::errc{} || end != view.data() + view.size() || threads == 0 || threads > most_threads) {
    throw std::invalid_argument(
        fmt::format("SPOOL_THREADS is \"{}\"; set it to a number from 1 to {}, or unset it", view, most_threads));
  }
  return threads;
}

}  // namespace

std::size_t usable_cpus() {
  std::size_t cpus = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) cpus = static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
  const std::size_t quota = cgroup_quota();
  return quota == 0 ? cpus : std::max<std::size_t>(1, std::min(cpus, quota));
}

runtime_options checked(runtime_options options) {
  if (options.threads == 0) options.threads = threads_from_environment();
  if (options.threads == 0) options.threads = std::min(usable_cpus(), most_threads);
  if (options.threads > most_threads) {
    throw std::invalid_argument(fmt::format(
        "runtime_options::threads is {}; use at most {} (one per CPU is best, 0 chooses that)", options.threads, most_threads));
  }
  if (options.stack_bytes < least_stack_bytes || options.stack_bytes > most_stack_bytes) {
    throw std::invalid_argument(
        fmt::format("runtime_options::stack_bytes is {}; use {} to {} (the default is 131072; only touched pages cost memory)",
                    options.stack_bytes, least_stack_bytes, most_stack_bytes));
  }
  if (options.blocking_threads == 0 || options.blocking_threads > most_blocking_threads) {
    throw std::invalid_argument(fmt::format("runtime_options::blocking_threads is {}; use 1 to {}", options.blocking_threads,
                                            most_blocking_threads));
  }
  if (options.stop_timeout && options.stop_timeout->count() < 0) {
    throw std::invalid_argument("runtime_options::stop_timeout is negative; leave it empty to wait for as long as it takes");
  }
  if (options.stuck_after.count() < 0) {
    throw std::invalid_argument("runtime_options::stuck_after is negative; 0 switches the watchdog off");
  }
  return options;
}

}  // namespace spool::detail
