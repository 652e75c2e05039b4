#include "stack_sample.hpp"

#include "fiber.hpp"
#include "thread_state.hpp"
#include "worker.hpp"

#include <spool/base/clock.hpp>

#include <fmt/format.h>

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>

namespace spool::detail {
namespace {

using namespace std::chrono_literals;

constexpr int most_frames = 48;
constexpr int own_frames = 2;  // the handler's, and the kernel's return from it
constexpr auto patience = 200ms;

// A sample that was given up may be answered later: the state says who may touch the rest.
enum state : int { idle, wanted, writing, written };
std::atomic<int> progress{idle};
pthread_t sampled;  // written before `wanted`
std::array<void*, most_frames> frames;
int depth = 0;
struct {
  bool any;
  std::uint64_t id;
  std::array<char, 64> name;
  start_site started;
} running;
char cookie;
struct sigaction previous;

// On the thread that runs f, which alone names it.
void note_running(fiber* f) noexcept {
  running.any = f != nullptr;
  if (f == nullptr) return;
  running.id = f->ensure_id();
  running.name = {};
  if (f->name != nullptr) f->name->copy(running.name.data(), running.name.size() - 1);
  running.started = {f->start_file.load(std::memory_order_relaxed), f->start_line.load(std::memory_order_relaxed)};
}

// backtrace allocates at its first call only, which was made before; it takes no lock with glibc 2.35 and later.
void answer(int signal, siginfo_t* info, void* context) {
  if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &cookie) {
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
      previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
      previous.sa_handler(signal);
    }
    return;
  }
  int expected = wanted;
  if (progress.load(std::memory_order_acquire) != wanted || ::pthread_equal(::pthread_self(), sampled) == 0) return;
  if (!progress.compare_exchange_strong(expected, writing, std::memory_order_acquire)) return;
  const int saved = errno;
  const worker* w = current_worker();
  note_running(w != nullptr ? w->current() : nullptr);
  depth = ::backtrace(frames.data(), most_frames);
  errno = saved;
  progress.store(written, std::memory_order_release);
}

/// Installs our handler, once for each time that it is not the one that is there.
bool listen() {
  struct sigaction current {};
  ::sigaction(SIGPROF, nullptr, &current);
  if (is_samplers(current)) return true;
  previous = current;
  struct sigaction ours {};
  ours.sa_sigaction = &answer;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&ours.sa_mask);
  return ::sigaction(SIGPROF, &ours, nullptr) == 0;
}

bool sleeps_in_kernel(pid_t number) {
  std::FILE* file = std::fopen(fmt::format("/proc/self/task/{}/stat", number).c_str(), "re");
  if (file == nullptr) return false;
  std::array<char, 128> line{};
  const bool read = std::fgets(line.data(), line.size(), file) != nullptr;
  std::fclose(file);
  const char* after_name = read ? std::strrchr(line.data(), ')') : nullptr;  // the name may have brackets of its own
  return after_name != nullptr && (std::strncmp(after_name, ") S", 3) == 0 || std::strncmp(after_name, ") D", 3) == 0);
}

std::string name_of(void* address) {
  Dl_info where{};
  if (::dladdr(address, &where) == 0 || where.dli_fname == nullptr) return fmt::format("{}", address);
  const std::string_view path = where.dli_fname;
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(where.dli_fbase);
  const std::string module = fmt::format("{}+{:#x}", path.substr(path.rfind('/') + 1), offset);
  if (where.dli_sname == nullptr) return module;
  int failed = 0;
  char* readable = abi::__cxa_demangle(where.dli_sname, nullptr, nullptr, &failed);
  std::string name = fmt::format("{} ({})", failed == 0 ? readable : where.dli_sname, module);
  std::free(readable);
  return name;
}

}  // namespace

bool is_samplers(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &answer;
}

stack_sample sample_stack(pthread_t thread, pid_t number) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  if (progress.load(std::memory_order_acquire) != idle) return {};  // somebody has not answered since
  void* first = nullptr;
  ::backtrace(&first, 1);
  if (!listen()) return {};
  stack_sample sample;
  sample.blocked = sleeps_in_kernel(number);
  sampled = thread;
  progress.store(wanted, std::memory_order_release);
  sigval value{};
  value.sival_ptr = &cookie;
  const time_point give_up = clock::now() + patience;
  bool asked = ::pthread_sigqueue(thread, SIGPROF, value) == 0;
  while (asked && progress.load(std::memory_order_acquire) != written && clock::now() < give_up) {
    std::this_thread::sleep_for(200us);
  }
  int expected = wanted;
  if (progress.compare_exchange_strong(expected, idle, std::memory_order_acq_rel)) {
    // The signal may still come, when ours must be there to take it: SIGPROF's default is to end the process.
    if (!asked) ::sigaction(SIGPROF, &previous, nullptr);
    return sample;
  }
  while (progress.load(std::memory_order_acquire) != written) std::this_thread::yield();
  ::sigaction(SIGPROF, &previous, nullptr);
  if (running.any) {
    sample.running.emplace();
    sample.running->id = running.id;
    sample.running->name = running.name.data();
    sample.running->started = running.started;
  }
  for (int i = std::min(own_frames, depth); i < depth; ++i) {
    sample.calls += fmt::format("\n    #{} {}", i - own_frames, name_of(frames[static_cast<std::size_t>(i)]));
  }
  progress.store(idle, std::memory_order_release);
  return sample;
}

}  // namespace spool::detail
