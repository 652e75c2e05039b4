// Takes jobs and notes each that is done in a ledger, until SIGTERM:
//   job_service LEDGER PRODUCERS DRAIN_MS CANCEL_MS JOB_MS STUBBORN
//
// A job is accepted when the ledger says so, on the disk; then the pool gets it. On SIGTERM no more are taken, the
// accepted ones are drained for DRAIN_MS, what is left is cancelled and given CANCEL_MS, and what has not been done is
// told, by number and by name. A second signal ends the draining. Started again, the service first does what its
// ledger calls accepted and not done; without PRODUCERS it ends after that. One in STUBBORN jobs ignores its context.
// Status 0: all is done; 1: not all; 3: jobs still ran when it ended.
#include <fcntl.h>
#include <unistd.h>
#include <spool/spool.hpp>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using std::chrono::milliseconds;

struct arguments {
  std::string ledger;
  int producers;  // the first is a plain thread, the others are fibers
  milliseconds drain_for;
  milliseconds cancel_for;
  milliseconds job_takes;  // at most
  unsigned stubborn;
};

/// Lines at a file's end, each by a single write, on the disk when note() returns.
class ledger {
 public:
  explicit ledger(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0) fail();
    std::ifstream in(path);
    for (std::string what, job; in >> what >> job;) {
      what == "accepted" ? static_cast<void>(pending_.insert(job)) : static_cast<void>(pending_.erase(job));
    }
  }
  ~ledger() { ::close(fd_); }
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;

  /// Accepted, and not done, before this process began.
  const std::set<std::string>& pending() const { return pending_; }

  void note(std::string_view what, const std::string& job) const {
    const std::string line = std::string(what) + ' ' + job + '\n';
    spool::blocking([&] {
      if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fdatasync(fd_) != 0) fail();
    });
  }

 private:
  [[noreturn]] static void fail() { throw std::system_error(errno, std::generic_category(), "ledger"); }
  int fd_;
  std::set<std::string> pending_;
};

class job_service {
 public:
  job_service(const spool::context& parent, const arguments& args, const ledger& book)
      : args_(args),
        book_(book),
        pool_({.name = "jobs", .workers = 4, .queue_capacity = 16}),
        shutdown_(parent, {.drain_for = args.drain_for,
                           .cancel_for = args.cancel_for,
                           .signals = {SIGTERM},
                           .ignore_repeats_for = milliseconds(0)}) {
    for (const std::string& job : book.pending()) accepted_[job];
    // It takes a moment, so that a second signal may come before any drain step has begun.
    shutdown_.on_stop("doors", [] { spool::this_fiber::sleep_for(milliseconds(5)); });
    shutdown_.on_drain("producers", [this] { producers_.wait(); });
    shutdown_.add("jobs", pool_);
  }
  ~job_service() {
    if (thread_.joinable()) thread_.join();
  }
  job_service(const job_service&) = delete;
  job_service& operator=(const job_service&) = delete;

  spool::shutdown_summary run() {
    producers_.go([this] {
      for (const std::string& job : book_.pending()) hand_over(job);
      if (args_.producers == 0) shutdown_.request();
    });
    if (args_.producers > 0) {
      producers_.add();
      thread_ = std::thread([this] {
        produce(0);
        producers_.done();
      });
    }
    for (int i = 1; i < args_.producers; ++i) producers_.go([this, i] { produce(i); });
    spool::shutdown_summary summary = shutdown_.wait();
    producers_.wait();  // an end that skipped its drain step has not waited for one between its note and its submit
    return summary;
  }

  /// Prints what was accepted and has not been done: "abandoned" if it will not be, "left" if it may yet be.
  void tell_what_is_undone(const spool::shutdown_pool& jobs) {
    std::vector<std::string> abandoned;
    std::vector<std::string> left;
    const std::lock_guard lock(mu_);
    for (auto& [job, outcome] : accepted_) {
      if (outcome.valid() && outcome.ready()) {
        try {
          outcome.get();
        } catch (const std::system_error&) {
          abandoned.push_back(job);
        }
      } else {
        left.push_back(job);
      }
    }
    tell("abandoned", abandoned);
    tell("left", left);
    const auto refused = pool_.stats().rejected;
    std::printf("undone, says the pool: %ju\n",
                std::uintmax_t{jobs.failed + jobs.expired + jobs.abandoned + jobs.left + refused});
  }

 private:
  void produce(int producer) {
    for (int i = 0; !shutdown_.stopping().done(); ++i) {
      const std::string job = std::to_string(::getpid()) + '-' + std::to_string(producer) + '-' + std::to_string(i);
      set_outcome(job, {});
      book_.note("accepted", job);
      hand_over(job);
    }
  }

  void hand_over(const std::string& job) {
    const unsigned number = ++jobs_;
    const bool stubborn = args_.stubborn != 0 && number % args_.stubborn == 0;
    const auto takes = args_.job_takes * (number % 8) / 8;
    set_outcome(job, pool_.submit([this, job, stubborn, takes](const spool::context& ctx) {
      if (const spool::error given_up = spool::this_fiber::sleep_for(ctx, takes)) given_up.rethrow();
      if (stubborn) spool::this_fiber::sleep_for(std::chrono::hours(24));
      book_.note("done", job);
    }));
  }

  void set_outcome(const std::string& job, spool::future<void> outcome) {
    const std::lock_guard lock(mu_);
    accepted_[job] = std::move(outcome);
  }

  static void tell(const char* what, const std::vector<std::string>& jobs) {
    std::ostringstream line;
    line << what << ' ' << jobs.size() << ':';
    for (const std::string& job : jobs) line << ' ' << job;
    std::puts(line.str().c_str());
  }

  const arguments args_;
  const ledger& book_;
  std::atomic<unsigned> jobs_{0};
  spool::mutex mu_;
  std::map<std::string, spool::future<void>> accepted_;  // guarded by mu_; invalid until the pool has it
  spool::wait_group producers_;
  std::thread thread_;
  spool::worker_pool pool_;
  spool::shutdown_sequence shutdown_;
};

int serve(const arguments& args) {
  // From the beginning to the end: one that comes before the sequence is there begins it nevertheless, and those beyond
  // the second do not keep the end from being told.
  auto [signalled, stop] = spool::notify_context(spool::context::background(), {SIGTERM});
  const ledger book(args.ledger);
  job_service service(signalled, args, book);
  const spool::shutdown_summary summary = service.run();
  std::puts(to_string(summary).c_str());
  service.tell_what_is_undone(summary.pools.at(0));
  std::puts(summary.forced ? "forced" : "told");
  std::fflush(stdout);
  if (!summary.ended()) std::_Exit(3);
  return summary.ok() ? 0 : 1;
}

int number(const char* text) {
  int n = 0;
  const std::string_view all(text);
  if (std::from_chars(all.data(), all.data() + all.size(), n).ptr != all.data() + all.size() || n < 0) {
    throw std::invalid_argument("not a number: " + std::string(all));
  }
  return n;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 7) throw std::invalid_argument("see the head of the source for its arguments");
  const arguments args{argv[1],
                       number(argv[2]),
                       milliseconds(number(argv[3])),
                       milliseconds(number(argv[4])),
                       milliseconds(number(argv[5])),
                       static_cast<unsigned>(number(argv[6]))};
  return spool::runtime({.threads = 2}).run([&] { return serve(args); });
} catch (const std::exception& failure) {
  std::fprintf(stderr, "job_service: %s\n", failure.what());
  return 2;
}
