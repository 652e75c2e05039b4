// What spool's detector says of each kernel: kernels [--list | NAME buggy|fixed alone|beside | --table]
//
// --table plays every kernel in a process of its own, four times: with the bug and repaired; alone, and beside others that go
// on, a fiber of the same runtime and a thread that spool knows nothing of, which forbid every proof about the process.
// It prints what was reported, and fails if a kernel with its bug is not reported when alone, or a repaired one is. Any
// that ends otherwise, as by a sanitizer's report, or not at all, is a failure, too.
#include "kernel.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using kernels::kernel;

enum outcome : int { quiet = 0, proven = 10, suspected = 11, neither = 12 };

constexpr auto watched_for = 14s;    // beside others: the second half of what is suspected comes after 10 s
constexpr auto most_time = 60s;      // of one process
constexpr std::size_t at_once = 48;  // they do little but wait

/// Ends the process at the first report, with what it says. It must name a fiber that was started in these files.
class verdict : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
    if (text.find("/kernels/") == std::string_view::npos) return;
    if (text.find("(proven)") != std::string_view::npos) std::_Exit(proven);
    if (text.find("(suspected)") != std::string_view::npos) std::_Exit(suspected);
  }
  void flush_() override {}
};

std::vector<kernel> all_kernels() {
  std::vector<kernel> all;
  for (const auto part : {kernels::locks(), kernels::channels(), kernels::mixed()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

int play(const kernel& k, bool fixed, bool beside) {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("kernel", std::make_shared<verdict>()));
  if (beside) {
    std::thread([] {
      std::this_thread::sleep_for(watched_for);
      std::_Exit(quiet);
    }).detach();
  }
  spool::runtime rt({.threads = 2});
  rt.run([&] {
    if (beside) {
      spool::go([] {
        for (;;) spool::this_fiber::sleep_for(10ms);
      });
    }
    k.play(fixed);
  });
  return quiet;
}

struct job {
  std::string name;
  bool fixed, beside;
};

pid_t start(const char* program, const job& j) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(nowhere, STDERR_FILENO);
  ::alarm(static_cast<unsigned>(std::chrono::seconds(most_time).count()));
  ::execl(program, program, j.name.c_str(), j.fixed ? "fixed" : "buggy", j.beside ? "beside" : "alone", nullptr);
  std::_Exit(neither);
}

const char* word(int how) {
  switch (how) {
    case quiet: return "-";
    case proven: return "proven";
    case suspected: return "suspected";
    default: return "no end";
  }
}

std::vector<int> play_all(const char* program, const std::vector<job>& jobs) {
  std::map<pid_t, std::size_t> running;
  std::vector<int> outcomes(jobs.size(), neither);
  for (std::size_t next = 0; next < jobs.size() || !running.empty();) {
    while (next < jobs.size() && running.size() < at_once) {
      const pid_t child = start(program, jobs[next]);
      running[child] = next++;
    }
    int status = 0;
    const pid_t ended = ::wait(&status);
    if (WIFEXITED(status)) outcomes[running.at(ended)] = WEXITSTATUS(status);
    running.erase(ended);
  }
  return outcomes;
}

int print_table(const char* program) {
  const std::vector<kernel> all = all_kernels();
  std::vector<job> jobs;
  for (const kernel& k : all) {
    for (const bool beside : {false, true}) {
      for (const bool fixed : {false, true}) jobs.push_back({k.name, fixed, beside});
    }
  }
  const std::vector<int> outcomes = play_all(program, jobs);
  std::printf(
      "| kernel | kind | alone | beside others | repaired: alone | beside others |\n|---|---|---|---|---|---|\n");
  int found = 0, found_beside = 0, wrong = 0, no_end = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const int* o = &outcomes[i * 4];  // as pushed above
    std::printf("| %s | %s | %s | %s | %s | %s |\n", all[i].name, all[i].kind, word(o[0]), word(o[2]), word(o[1]),
                word(o[3]));
    found += o[0] == proven;
    found_beside += o[2] == proven || o[2] == suspected;
    wrong += (o[1] != quiet) + (o[3] != quiet);
    no_end += o[2] != quiet && o[2] != proven && o[2] != suspected;
  }
  std::printf("\nalone: %d of %zu proven; beside others: %d of %zu; reports on repaired programs: %d of %zu runs\n",
              found, all.size(), found_beside, all.size(), wrong, all.size() * 2);
  return found == static_cast<int>(all.size()) && wrong == 0 && no_end == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "--table") return print_table("/proc/self/exe");
  for (const kernel& k : all_kernels()) {
    if (what == "--list") std::printf("%s\n", k.name);
    if (what == k.name && argc == 4)
      return play(k, std::string_view(argv[2]) == "fixed", std::string_view(argv[3]) == "beside");
  }
  if (what == "--list") return 0;
  std::fprintf(stderr, "kernels --list | --table | NAME buggy|fixed alone|beside\n");
  return 2;
}
