// A service that is told to end at a random moment: no job that it has accepted is lost or done twice, it ends, and it
// tells what it has not done. SPOOL_TEST_LONG=1: 1,000 such moments. SPOOL_SEED gives the moments of a former run.
#include <support/sanitized.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

extern char** environ;

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using jobs = std::set<std::string>;

struct ending {
  const char* name;
  milliseconds drain_for;
  milliseconds cancel_for;
  milliseconds job_takes;
  unsigned stubborn = 0;
  bool second_signal = false;
};
void PrintTo(const ending& e, std::ostream* out) { *out << e.name; }

constexpr int endless = -1;
constexpr int still_running = 3;
constexpr int producers = 3;
constexpr ending to_the_end{"to_the_end", 1h, 1h, 0ms};

/// One run of the service. Its output is read until it has ended.
class service {
 public:
  service(const std::string& ledger, const ending& how, int producers_wanted) {
    std::vector<std::string> words{JOB_SERVICE, ledger, std::to_string(producers_wanted)};
    for (const milliseconds d : {how.drain_for, how.cancel_for, how.job_takes})
      words.push_back(std::to_string(d.count()));
    words.push_back(std::to_string(how.stubborn));
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);

    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
    posix_spawn_file_actions_t redirected;
    posix_spawn_file_actions_init(&redirected);
    posix_spawn_file_actions_adddup2(&redirected, pipe[1], STDOUT_FILENO);
    const int failed = ::posix_spawn(&pid_, JOB_SERVICE, &redirected, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&redirected);
    ::close(pipe[1]);
    out_ = pipe[0];
    if (failed != 0) throw std::system_error(failed, std::generic_category(), JOB_SERVICE);
  }
  ~service() {
    ::close(out_);
    if (status_ < 0) ::waitpid(pid_, nullptr, 0);
  }
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  void signal(int number) const { ::kill(pid_, number); }

  /// True: it has ended.
  bool ended_within(milliseconds limit) {
    const auto until = clock::now() + limit;
    for (;;) {
      const auto left = std::chrono::ceil<milliseconds>(until - clock::now());
      pollfd readable{out_, POLLIN, 0};
      if (::poll(&readable, 1, static_cast<int>(std::max(left, 0ms).count())) == 0) return false;
      std::array<char, 4096> some;
      const ssize_t got = ::read(out_, some.data(), some.size());
      if (got > 0) {
        output_.append(some.data(), static_cast<std::size_t>(got));
        continue;
      }
      ::waitpid(pid_, &status_, 0);
      return true;
    }
  }

  const std::string& output() const { return output_; }
  int status() const { return status_; }

 private:
  pid_t pid_ = 0;
  int out_ = -1;
  int status_ = endless;
  std::string output_;
};

struct ledger_entries {
  jobs accepted;
  jobs done;
};

/// Fails the test if a job was accepted twice, done twice, or done without having been accepted.
ledger_entries read_ledger(const std::string& path) {
  ledger_entries entries;
  std::ifstream in(path);
  for (std::string what, job; in >> what >> job;) {
    jobs& into = what == "accepted" ? entries.accepted : entries.done;
    EXPECT_TRUE(into.insert(job).second) << job << " is " << what << " twice";
    EXPECT_EQ(entries.accepted.count(job), 1u) << job << " is " << what;
  }
  return entries;
}

jobs minus(const jobs& a, const jobs& b) {
  jobs left;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(left, left.end()));
  return left;
}

/// What a line "WHAT COUNT: NAME..." of the output says.
jobs told(const std::string& output, const std::string& what) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    std::size_t count = 0;
    char colon = 0;
    if (!(words >> first) || first != what || !(words >> count >> colon) || colon != ':') continue;
    jobs names;
    for (std::string name; words >> name;) EXPECT_TRUE(names.insert(name).second) << name << " is told twice";
    EXPECT_EQ(names.size(), count) << line;
    return names;
  }
  ADD_FAILURE() << "nothing is told of what is " << what << ":\n" << output;
  return {};
}

std::size_t number_told(const std::string& output, const std::string& after) {
  const std::size_t at = output.find(after);
  return at == std::string::npos ? 0 : std::strtoull(output.c_str() + at + after.size(), nullptr, 10);
}

bool told_all(const std::string& output) { return output.ends_with("\ntold\n") || output.ends_with("\nforced\n"); }

class Endings : public testing::TestWithParam<ending> {
 protected:
  Endings() : directory_(testing::TempDir() + "spool-endings-" + std::to_string(::getpid())) {
    const char* given = std::getenv("SPOOL_SEED");
    seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    random_.seed(seed_);
    std::filesystem::create_directories(directory_);
  }
  ~Endings() override { std::filesystem::remove_all(directory_); }

  milliseconds random_delay(milliseconds most) {
    return milliseconds(std::uniform_int_distribution<milliseconds::rep>(0, most.count())(random_));
  }

  /// Starts the service, ends it at a random moment, and compares what it tells with what the ledger says.
  void run_once(const std::string& ledger) {
    const ending& how = GetParam();
    const ledger_entries before = read_ledger(ledger);
    service s(ledger, how, producers);
    ASSERT_FALSE(s.ended_within(random_delay(spool_test::sanitized ? 2000ms : 100ms))) << s.output();
    const auto signalled = clock::now();
    s.signal(SIGTERM);
    auto deadline_from = signalled;
    while (how.second_signal) {  // more than one: two that come at once count as one
      const bool ended = s.ended_within(random_delay(30ms));
      if (ended || clock::now() - signalled > hang) break;
      if (deadline_from == signalled) deadline_from = clock::now();
      s.signal(SIGTERM);
    }
    if (s.status() == endless && !s.ended_within(hang)) {
      s.signal(SIGKILL);
      FAIL() << "hangs; output:\n" << s.output();
    }
    took_ms_.push_back(std::chrono::duration<double, std::milli>(clock::now() - deadline_from).count());
    const ledger_entries after = read_ledger(ledger);
    if (!told_all(s.output())) {  // the signal came before the service could take it
      ++too_early_;
      ASSERT_TRUE(WIFSIGNALED(s.status()) && WTERMSIG(s.status()) == SIGTERM) << "status " << s.status();
      ASSERT_EQ(after.accepted, before.accepted);
      ASSERT_EQ(after.done, before.done);
      return;
    }
    const jobs abandoned = told(s.output(), "abandoned");
    const jobs left = told(s.output(), "left");
    for (const std::string& job : abandoned) {
      EXPECT_EQ(after.accepted.count(job), 1u) << job << " was never accepted";
      EXPECT_EQ(after.done.count(job), 0u) << job << " was done after all";
      EXPECT_EQ(left.count(job), 0u) << job << " is told twice";
    }
    EXPECT_EQ(minus(minus(minus(after.accepted, after.done), abandoned), left), jobs{}) << "neither done nor told\n"
                                                                                        << s.output();
    if (WIFEXITED(s.status()) && WEXITSTATUS(s.status()) != still_running) {
      EXPECT_EQ(left, jobs{}) << s.output();
      EXPECT_EQ(number_told(s.output(), "undone, says the pool: "), abandoned.size()) << s.output();
      EXPECT_EQ(WEXITSTATUS(s.status()) == 0, abandoned.empty()) << s.output();
    }
    accepted_ += after.accepted.size() - before.accepted.size();
    done_ += after.done.size() - before.done.size();
    abandoned_ += abandoned.size();
    left_ += left.size();
    forced_ += s.output().ends_with("\nforced\n") ? 1 : 0;
  }

  /// Lets the service do what is in the ledger.
  void finish(const std::string& ledger) {
    service s(ledger, to_the_end, 0);
    if (!s.ended_within(hang)) {
      s.signal(SIGKILL);
      FAIL() << "hangs; output:\n" << s.output();
    }
    EXPECT_EQ(s.status(), 0) << s.output();
    const ledger_entries entries = read_ledger(ledger);
    EXPECT_EQ(minus(entries.accepted, entries.done), jobs{}) << "lost";
  }

  static constexpr milliseconds hang = 90s;
  const std::string directory_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  // For the figures.
  std::vector<double> took_ms_;  // from the signal to the end
  std::size_t too_early_ = 0, accepted_ = 0, done_ = 0, abandoned_ = 0, left_ = 0, forced_ = 0;
};

TEST_P(Endings, NoAcceptedJobIsLostOrDoneTwice) {
  SCOPED_TRACE("SPOOL_SEED=" + std::to_string(seed_));
  const int runs = std::getenv("SPOOL_TEST_LONG") != nullptr ? 250 : 5;
  for (int run = 0; run < runs && !HasFailure();) {
    const std::string ledger = directory_ + "/ledger-" + std::to_string(run);
    const int interruptions = 1 + static_cast<int>(random_() % 3);
    for (int i = 0; i < interruptions && run < runs && !HasFailure(); ++i, ++run) run_once(ledger);
    if (!HasFailure()) finish(ledger);
    std::filesystem::remove(ledger);
  }
  std::sort(took_ms_.begin(), took_ms_.end());
  std::printf(
      "%s: %d runs, %zu of them too early to take the signal, %zu forced\n"
      "  jobs: %zu accepted, %zu done, %zu told as abandoned, %zu as left\n"
      "  from the signal to the end: median %.0f ms, 99 %% %.0f ms, longest %.0f ms\n",
      GetParam().name, runs, too_early_, forced_, accepted_, done_, abandoned_, left_, took_ms_[took_ms_.size() / 2],
      took_ms_[took_ms_.size() * 99 / 100], took_ms_.back());
}

INSTANTIATE_TEST_SUITE_P(AtARandomMoment, Endings,
                         testing::Values(ending{"drains", 20s, 5s, 4ms}, ending{"past_the_deadline", 20ms, 5s, 400ms},
                                         ending{"forced", 1h, 5s, 4s, 0, true},
                                         ending{"stubborn_jobs", 20ms, 20ms, 4ms, 8}),
                         [](const testing::TestParamInfo<ending>& how) { return how.param.name; });

}  // namespace
