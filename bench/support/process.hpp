// What the kernel says about this process, and a child to ask it in.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <type_traits>

namespace bench {

struct process_memory {
  std::int64_t resident_bytes = 0;
  std::int64_t page_table_bytes = 0;  // not part of the resident size, yet memory that a million stacks take

  static process_memory now() {
    process_memory memory;
    std::ifstream status("/proc/self/status");
    for (std::string key; status >> key;) {
      std::int64_t kibibytes = 0;
      if (key == "VmRSS:" && status >> kibibytes) memory.resident_bytes = kibibytes * 1024;
      if (key == "VmPTE:" && status >> kibibytes) memory.page_table_bytes = kibibytes * 1024;
    }
    return memory;
  }
};

inline double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Runs `measure` in a new process, which starts this program again for the row whose name begins with `row`,
// and returns what it returned; nullopt: the process died (out of memory, say). Memory needs a process that
// has freed nothing yet: what an earlier row freed would be reused and not show.
template <class F, class Result = std::invoke_result_t<F&>>
std::optional<Result> in_fresh_process(const std::string& row, F&& measure) {
  static_assert(std::is_trivially_copyable_v<Result>);
  constexpr auto size = static_cast<ssize_t>(sizeof(Result));
  constexpr const char* report_to = "SPOOL_BENCH_REPORT_TO";
  if (const char* descriptor = std::getenv(report_to)) {
    const Result result = measure();
    ::_exit(::write(std::atoi(descriptor), &result, sizeof result) == size ? 0 : 1);
  }
  int ends[2];
  if (::pipe(ends) != 0) return std::nullopt;
  ::setenv(report_to, std::to_string(ends[1]).c_str(), 1);
  std::string program = "bench";
  std::string filter = "--benchmark_filter=^" + row;
  std::string format = "--benchmark_format=json";  // says nothing on stderr, which stays free for real trouble
  char* const arguments[] = {program.data(), filter.data(), format.data(), nullptr};
  posix_spawn_file_actions_t silence;
  ::posix_spawn_file_actions_init(&silence);
  ::posix_spawn_file_actions_addopen(&silence, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const bool started = ::posix_spawn(&child, "/proc/self/exe", &silence, nullptr, arguments, environ) == 0;
  ::posix_spawn_file_actions_destroy(&silence);
  ::unsetenv(report_to);
  ::close(ends[1]);
  Result result{};
  const bool whole = started && ::read(ends[0], &result, sizeof result) == size;
  ::close(ends[0]);
  if (started) ::waitpid(child, nullptr, 0);
  return whole ? std::optional<Result>(result) : std::nullopt;
}

}  // namespace bench
