// Random uses of a worker_pool under random schedules: each accepted job runs at most once, its future says what it did,
// no more than `workers` run at a time, and the books agree.
#include "models/program.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <stdexcept>

namespace {

using namespace spool_test;
using namespace std::chrono_literals;
using namespace spool;
using spool::testing::explore;
using spool::testing::schedule;

struct job_record {
  int runs = 0;
  bool fails = false;
  bool accepted = false;
  bool refused = false;
};

class pool_program {
 public:
  explicit pool_program(std::uint64_t seed)
      : dice_(seed),
        workers_(1 + dice_.roll(3)),
        pool_({.workers = workers_, .queue_capacity = 1 + dice_.roll(3), .on_error = [](error) {}}) {}

  void run() {
    wait_group all;
    const unsigned fibers = 1 + dice_.roll(3);
    for (unsigned f = 0; f < fibers; ++f) {
      all.go([this, own = dice(dice_.roll(~0u))]() mutable {
        const unsigned count = 1 + own.roll(4);
        for (unsigned i = 0; i < count; ++i) give_a_job(own);
      });
    }
    all.go([this, own = dice(dice_.roll(~0u))]() mutable { end(own); });
    all.wait();
    (void)pool_.drain();
    judge();
  }

 private:
  static void check(bool holds, const char* what) {
    if (!holds) throw std::runtime_error(what);
  }

  auto job(job_record& record, dice& d) {
    record.fails = d.one_in(4);
    const auto rest = std::chrono::nanoseconds(d.roll(3) * 100);
    return [this, &record, rest]() -> int {
      ++record.runs;
      check(++running_ <= static_cast<int>(workers_), "more jobs run than there are workers");
      if (rest > 0ns) this_fiber::sleep_for(rest);
      --running_;
      if (record.fails) throw std::out_of_range("planned");
      return 7;
    };
  }

  void give_a_job(dice& d) {
    job_record& record = records_.emplace_back();
    const bool closed_before = closed_;
    std::optional<future<int>> promised;
    switch (d.roll(3)) {
      case 0: {
        const cancel_scope bounded = with_timeout(context::background(), std::chrono::nanoseconds(1 + d.roll(300)));
        result<future<int>> r = pool_.submit(bounded.ctx(), job(record, d));
        if (r.has_value()) {
          promised = std::move(*r);
        } else {
          check(r.error() == errc::closed || r.error() == errc::deadline_exceeded, "refused for no reason");
        }
        break;
      }
      case 1: {
        result<future<int>> r = pool_.try_submit(job(record, d));
        if (r.has_value()) {
          promised = std::move(*r);
        } else {
          check(r.error() == errc::closed || r.error() == errc::full, "refused for no reason");
        }
        break;
      }
      default: {
        const channel_status s = pool_.try_post(job(record, d));
        check(s == channel_status::ok || s == channel_status::closed || s == channel_status::full, "post says what it may not");
        record.accepted = s == channel_status::ok;
        record.refused = !record.accepted;
        check(!closed_before || record.refused, "accepted after close");
        return;
      }
    }
    record.accepted = promised.has_value();
    record.refused = !record.accepted;
    check(!closed_before || record.refused, "accepted after close");
    if (!promised) return;
    try {
      check(promised->get() == 7, "another's answer");
      check(!record.fails && record.runs == 1, "an answer without a run");
    } catch (const std::out_of_range&) {
      check(record.fails && record.runs == 1, "a failure without a run");
    } catch (const std::system_error&) {
      check(record.runs == 0, "a job that ran was given up");
    }
  }

  void end(dice& d) {
    if (d.one_in(3)) return;
    this_fiber::sleep_for(std::chrono::nanoseconds(d.roll(500)));
    switch (d.roll(3)) {
      case 0: pool_.close(); break;
      case 1: (void)pool_.drain(); return;  // it stays open
      default: {
        const cancel_scope limit = with_timeout(context::background(), std::chrono::nanoseconds(1 + d.roll(300)));
        (void)pool_.shutdown(limit.ctx());
      }
    }
    closed_ = true;
  }

  void judge() {
    std::uint64_t accepted = 0;
    std::uint64_t ran = 0;
    for (const job_record& r : records_) {
      check(r.runs <= 1, "a job ran twice");
      check(!r.refused || r.runs == 0, "a refused job ran");
      accepted += r.accepted;
      ran += static_cast<std::uint64_t>(r.runs);
    }
    const worker_pool_stats books = pool_.stats();
    check(running_ == 0 && books.busy == 0 && books.queued == 0, "drained, and still at work");
    check(books.accepted == accepted, "accepted differs");
    check(books.completed + books.failed == ran, "completed and failed are not those that ran");
    check(books.completed + books.failed + books.expired + books.abandoned == accepted, "a job is in no column, or in two");
  }

  dice dice_;
  std::size_t workers_;
  std::deque<job_record> records_;
  int running_ = 0;
  bool closed_ = false;
  worker_pool pool_;
};

class PoolPrograms : public ::testing::TestWithParam<schedule> {};
INSTANTIATE_TEST_SUITE_P(Schedules, PoolPrograms, ::testing::Values(schedule::uniform, schedule::pct),
                         [](const auto& kind) { return kind.param == schedule::pct ? "pct" : "uniform"; });

TEST_P(PoolPrograms, KeepTheBooks) {
  explore({.seeds = seeds(4), .schedule = GetParam()}, [] { pool_program(spool::testing::seed()).run(); });
}

TEST_P(PoolPrograms, KeepTheBooksWhateverTimersDo) {
  explore({.seeds = seeds(10), .schedule = GetParam(), .early_timers = true}, [] { pool_program(spool::testing::seed()).run(); });
}

}  // namespace
