#include <spool/testing/explore.hpp>

#include <spool/spool.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool::testing::explore;
using spool::testing::schedule;
using spool::testing::schedule_failure;

/// A fiber asked for at run time by its environment variable.
class environment {
 public:
  environment(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~environment() { ::unsetenv(name_); }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;

 private:
  const char* name_;
};

/// Six fibers over a channel and a mutex.
void talk() {
  channel<int> numbers(2);
  mutex m;
  int sum = 0;
  wait_group all;
  for (int i = 0; i < 3; ++i) {
    all.go([&] {
      for (int k = 0; k < 3; ++k) (void)numbers.send(k);
    });
    all.go([&] {
      for (int k = 0; k < 3; ++k) {
        const int v = *numbers.recv();
        const std::lock_guard lock(m);
        sum += v;
      }
    });
  }
  all.wait();
  if (sum != 9) throw std::runtime_error("a number was lost");
}

class Schedules : public ::testing::TestWithParam<schedule> {};
INSTANTIATE_TEST_SUITE_P(Kinds, Schedules, ::testing::Values(schedule::uniform, schedule::pct),
                         [](const auto& kind) { return kind.param == schedule::pct ? "pct" : "uniform"; });

TEST_P(Schedules, NineOfTenSeedsDiffer) {
  const spool::testing::exploration e = explore({.seeds = 10'000, .schedule = GetParam()}, talk);
  EXPECT_EQ(e.runs, 10'000u);
  EXPECT_GE(e.distinct, 9'000u);
  RecordProperty("distinct", std::to_string(e.distinct));
}

TEST_P(Schedules, ASeedGivesTheSameScheduleAgain) {
  // Beginning elsewhere: what the runs before it left in the runtime must not matter.
  std::vector<std::uint64_t> in_a_row;
  for (std::uint64_t first = 1; first <= 3; ++first) {
    const auto last = explore({.seeds = 4 - first, .first_seed = first, .schedule = GetParam()}, talk);
    in_a_row.push_back(last.hash);
  }
  EXPECT_EQ(std::set<std::uint64_t>(in_a_row.begin(), in_a_row.end()).size(), 1u);
  for (const std::uint64_t seed : {7u, 99u, 12345u}) {
    const auto once = explore({.seeds = 1, .first_seed = seed, .schedule = GetParam()}, talk);
    const auto again = explore({.seeds = 1, .first_seed = seed, .schedule = GetParam()}, talk);
    EXPECT_EQ(once.hash, again.hash);
    EXPECT_EQ(once.decisions, again.decisions);
  }
}

TEST(Explore, FifoHasOneSchedule) {
  EXPECT_EQ(explore({.seeds = 100, .schedule = schedule::fifo}, talk).distinct, 1u);
}

// A queue of a user's own. pop looks, and only then says that it sleeps: a push in between wakes nobody.
class forgetful_queue {
 public:
  void push(int v) {
    m_.lock();
    items_.push_back(v);
    m_.unlock();
    if (sleeping_) (void)wake_.try_send(0);
  }
  int pop() {
    for (;;) {
      m_.lock();
      if (!items_.empty()) {
        const int v = items_.back();
        items_.pop_back();
        m_.unlock();
        return v;
      }
      m_.unlock();
      if (stats_.try_lock()) {  // the window: something else that never waits
        ++looks_;
        stats_.unlock();
      }
      sleeping_ = true;
      (void)wake_.recv();
      sleeping_ = false;
    }
  }

 private:
  mutex m_;
  mutex stats_;
  int looks_ = 0;
  std::vector<int> items_;
  bool sleeping_ = false;
  channel<char> wake_{1};
};

void use_forgetful_queue() {
  forgetful_queue q;
  go([&q] { q.push(1); });
  if (q.pop() != 1) throw std::runtime_error("not what was pushed");
}

// Each in a runtime of its own: a turn of 512 operations, over many runs, ends in the window now and then.
TEST(Explore, PlainRunsMissTheLostWakeUp) {
  for (int i = 0; i < 1000; ++i) {
    spool::runtime rt({.threads = 1});
    rt.run(use_forgetful_queue);
  }
}

TEST_P(Schedules, ALostWakeUpIsFoundAndItsSeedFindsItAgain) {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;
  try {
    explore({.seeds = 10'000, .schedule = GetParam()}, use_forgetful_queue);
    FAIL() << "not found";
  } catch (const schedule_failure& e) {
    EXPECT_EQ(e.how(), spool::testing::run_ending::deadlock);
    seed = e.seed();
    hash = e.trace_hash();
    EXPECT_NE(std::string(e.what()).find("seed " + std::to_string(seed)), std::string::npos);
  }
  RecordProperty("seed", std::to_string(seed));
  const environment replay("SPOOL_SEED", std::to_string(seed));
  for (int twice = 0; twice < 2; ++twice) {
    try {
      explore({.seeds = 10'000, .schedule = GetParam()}, use_forgetful_queue);
      FAIL() << "not found again";
    } catch (const schedule_failure& e) {
      EXPECT_EQ(e.seed(), seed);
      EXPECT_EQ(e.trace_hash(), hash);
    }
  }
}

// Nobody waits for what is unlocked, closed or notified: these operations wake nobody, and are points all the same.
TEST_P(Schedules, BugsBetweenOperationsThatWakeNobodyAreFound) {
  const auto notified_without_the_lock = [] {
    mutex mu;
    condition_variable changed;
    bool ready = false;
    go([&] {
      ready = true;
      changed.notify_one();
    });
    std::unique_lock lock(mu);
    if (!ready) changed.wait(lock);
  };
  const auto set_after_the_unlock = [] {
    shared_mutex mu;
    bool begun = false, known = false;
    wait_group all;
    all.go([&] {
      mu.lock();
      begun = true;
      mu.unlock();
      known = true;
    });
    all.go([&] {
      const std::lock_guard lock(mu);
      if (begun && !known) throw std::runtime_error("begun, and not known");
    });
    all.wait();
  };
  const auto closed_twice = [] {
    const channel<int> ch;
    const auto close = [ch] {
      if (!ch.closed() && !ch.close()) throw std::runtime_error("closed by another");
    };
    wait_group all;
    all.go(close);
    all.go(close);
    all.wait();
  };
  const spool::testing::explore_options options{.seeds = 10'000, .schedule = GetParam()};
  EXPECT_THROW(explore(options, notified_without_the_lock), schedule_failure);
  EXPECT_THROW(explore(options, set_after_the_unlock), schedule_failure);
  EXPECT_THROW(explore(options, closed_twice), schedule_failure);
}

// Three things must come in order: depth 4.
TEST(Explore, PctFindsWhatTakesAnOrder) {
  const auto in_order = [] {
    channel<int> c(8);
    int step = 0;
    wait_group all;
    for (int i = 0; i < 4; ++i) {
      all.go([&, i] {
        for (int k = 0; k < 5; ++k) (void)c.try_send(k);
        if (step == i) ++step;
        for (int k = 0; k < 5; ++k) (void)c.try_recv();
      });
    }
    all.wait();
    if (step == 4) throw std::runtime_error("in order");
  };
  EXPECT_THROW(explore({.seeds = 10'000, .schedule = schedule::pct, .depth = 4}, in_order), schedule_failure);
}

TEST(Explore, WhoWokeAnotherMayBePreempted) {
  // Between release and what the releaser does next the acquirer may run.
  const auto look = [] {
    semaphore done(0);
    const auto value = std::make_shared<int>(0);  // outlives the one who is too early
    go([&, value] {
      done.release();
      *value = 1;
    });
    done.acquire();
    if (*value == 0) throw std::runtime_error("too early");
    this_fiber::sleep_for(1s);
  };
  EXPECT_THROW(explore({.seeds = 1000}, look), schedule_failure);
}

TEST(Explore, SelectDrawsItsCaseFromTheSeed) {
  std::set<std::size_t> chosen;
  const auto choose = [&] {
    channel<int> a(1);
    channel<int> b(1);
    (void)a.send(1);
    (void)b.send(1);
    chosen.insert(select(on_recv(a, [](std::optional<int>) {}), on_recv(b, [](std::optional<int>) {})));
  };
  explore({.seeds = 100}, choose);
  EXPECT_EQ(chosen.size(), 2u);
  for (const std::uint64_t seed : {3u, 4u, 5u}) {
    chosen.clear();
    for (int i = 0; i < 10; ++i) explore({.seeds = 1, .first_seed = seed}, choose);
    EXPECT_EQ(chosen.size(), 1u);
  }
}

TEST(Explore, TimersDueAtOnceFireInAnyOrder) {
  std::set<std::string> orders;
  explore({.seeds = 200}, [&] {
    const auto when = this_fiber::now() + 1h;
    std::string order;
    wait_group all;
    for (const char name : {'a', 'b', 'c'}) {
      all.go([&, name] {
        this_fiber::sleep_until(when);
        order += name;
      });
    }
    all.wait();
    orders.insert(order);
  });
  EXPECT_EQ(orders.size(), 6u);
}

TEST(Explore, EarlyTimersOvertakeFibersThatAreReady) {
  const auto race = [] {
    channel<int> c;
    go([c] { (void)c.send_for(1h, 1); });
    if (!c.recv_for(1s).has_value()) throw std::runtime_error("timed out");
  };
  explore({.seeds = 1000}, race);
  EXPECT_THROW(explore({.seeds = 1000, .early_timers = true}, race), schedule_failure);
}

TEST(Explore, ChecksThatDoNotThrowAreAskedFor) {
  int runs = 0;
  try {
    explore({.seeds = 100, .failed = [&] { return runs == 10; }}, [&] { ++runs; });
    FAIL() << "not asked";
  } catch (const schedule_failure& e) {
    EXPECT_EQ(e.how(), spool::testing::run_ending::failed);
    EXPECT_EQ(e.seed(), 10u);
  }
}

TEST(Explore, TheSeedIsKnownInside) {
  std::vector<std::uint64_t> seen;
  explore({.seeds = 3, .first_seed = 40}, [&] { seen.push_back(spool::testing::seed()); });
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{40, 41, 42}));
}

TEST(Explore, AnExceptionNamesItsSeed) {
  try {
    explore({.seeds = 100, .first_seed = 17}, [] { throw std::out_of_range("far out"); });
    FAIL() << "nothing thrown";
  } catch (const schedule_failure& e) {
    EXPECT_EQ(e.seed(), 17u);
    EXPECT_NE(std::string(e.what()).find("seed 17: far out"), std::string::npos) << e.what();
    EXPECT_THROW(std::rethrow_exception(e.exception()), std::out_of_range);
  }
}

TEST(Explore, TheEnvironmentMustBeANumber) {
  const environment bad("SPOOL_SEED", "x7");
  EXPECT_THROW(explore({}, [] {}), std::invalid_argument);
}

TEST(Explore, TheEnvironmentSaysHowMany) {
  const environment many("SPOOL_SEEDS", "5");
  EXPECT_EQ(explore({.seeds = 1}, [] {}).runs, 5u);
}

}  // namespace
