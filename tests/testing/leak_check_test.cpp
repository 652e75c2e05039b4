#include <spool/testing/leak_check.hpp>

#include <spool/spool.hpp>
#include <spool/testing/bubble.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool::testing::leak_check;
using spool::testing::leak_error;

TEST(LeakCheck, FindsAFiberThatWaits) {
  spool::run([] {
    channel<int> c;
    leak_check check(20ms);
    go([c] {
      this_fiber::set_name("left behind");
      (void)c.recv();
    });
    const std::vector<std::string> left = check.leaks();
    ASSERT_EQ(left.size(), 1u);
    EXPECT_NE(left[0].find("left behind"), std::string::npos) << left[0];
    EXPECT_NE(left[0].find("leak_check_test.cpp"), std::string::npos) << left[0];
    EXPECT_NE(left[0].find("channel recv"), std::string::npos) << left[0];
    c.close();
    while (!check.leaks().empty()) {
    }
  });
}

TEST(LeakCheck, ItsEndThrows) {
  spool::run([] {
    channel<int> c;
    EXPECT_THROW(
        {
          const leak_check check(20ms);
          go([c] { (void)c.recv(); });
        },
        leak_error);
    c.close();
  });
}

TEST(LeakCheck, DoesNotHideAnotherException) {
  spool::run([] {
    channel<int> c;
    EXPECT_THROW(
        {
          const leak_check check(20ms);
          go([c] { (void)c.recv(); });
          throw std::out_of_range("first");
        },
        std::out_of_range);
    c.close();
  });
}

TEST(LeakCheck, WaitsForThoseThatAreAboutToEnd) {
  spool::run([] {
    const leak_check check(10s);
    for (int i = 0; i < 100; ++i) go([] { this_fiber::sleep_for(5ms); });
  });
}

TEST(LeakCheck, LeavesOutWhatWasThereBefore) {
  spool::run([] {
    channel<int> c;
    wait_group begun;
    begun.add();
    go([&begun, c] {
      begun.done();
      (void)c.recv();
    });
    begun.wait();
    { const leak_check check(20ms); }
    c.close();
  });
}

TEST(LeakCheck, WatchesARuntimeFromAPlainThread) {
  runtime rt({.threads = 2});
  channel<int> c;
  leak_check check(rt, 20ms);
  leak_check everywhere(20ms);
  rt.go([c] { (void)c.recv(); });
  EXPECT_EQ(check.leaks().size(), 1u);
  EXPECT_EQ(everywhere.leaks().size(), 1u);
  EXPECT_THROW(check.verify(), leak_error);
  c.close();
  while (!check.leaks().empty()) {
  }
}

TEST(LeakCheck, CountsThoseThatHaveNotBegun) {
  std::atomic<bool> let_go = false;
  wait_group begun;
  runtime rt({.threads = 1});
  begun.add();
  rt.go([&] {
    begun.done();
    while (!let_go) {
    }
  });
  begun.wait();
  leak_check check(rt, 20ms);
  rt.go([] {});
  const auto left = check.leaks();
  let_go = true;
  ASSERT_EQ(left.size(), 1u);
  EXPECT_NE(left[0].find("1 that have not begun"), std::string::npos) << left[0];
}

TEST(LeakCheck, GoesByTheBubblesClock) {
  spool::testing::run_in_bubble([] {
    const auto began = this_fiber::now();
    channel<int> c;
    leak_check check(1h);
    go([c] { (void)c.recv(); });
    EXPECT_EQ(check.leaks().size(), 1u);
    EXPECT_GE(this_fiber::now() - began, 1h);
    c.close();
  });
}

/// One fiber locks, by `lock`, what another then waits for; a plain thread is told.
template <class Mutex>
std::string told_of_a_held_lock(void (Mutex::*lock)(), void (Mutex::*unlock)()) {
  runtime rt({.threads = 2});
  leak_check check(20ms);
  std::atomic<bool> stop{false};
  Mutex m;
  latch locked(1);
  rt.go([&] {
    (m.*lock)();
    locked.count_down();
    while (!stop) this_fiber::sleep_for(1ms);
    (m.*unlock)();
  });
  rt.go([&] {
    locked.wait();
    m.lock();
    m.unlock();
  });
  locked.wait();
  const std::vector<std::string> left = check.leaks();
  stop = true;
  while (!check.leaks().empty()) {
  }
  EXPECT_EQ(left.size(), 2u);
  std::string all;
  for (const std::string& one : left) all += one;
  return all;
}

TEST(LeakCheck, OnAPlainThreadNamesTheHolderOfAMutex) {
  const std::string told = told_of_a_held_lock<mutex>(&mutex::lock, &mutex::unlock);
  EXPECT_NE(told.find("locked by fiber"), std::string::npos) << told;
}

TEST(LeakCheck, NamesTheReadersOfASharedMutex) {
  const std::string told = told_of_a_held_lock<shared_mutex>(&shared_mutex::lock_shared, &shared_mutex::unlock_shared);
  EXPECT_NE(told.find("locked by 1 reader: fiber"), std::string::npos) << told;
}

}  // namespace
