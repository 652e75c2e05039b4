// A fiber that keeps its worker for longer than stuck_after: it is named, with its stack, and delays nobody.
#include "captured_log.hpp"
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <string>

namespace {

using namespace spool;
using namespace std::chrono_literals;

/// Computes until `log` tells of it; at most half a minute.
[[gnu::noinline]] void compute_until_told(const spool_test::captured_log& log, const char* what = "has been kept for") {
  const auto give_up = std::chrono::steady_clock::now() + 30s;
  while (!log.has(what) && std::chrono::steady_clock::now() < give_up) {
    spool_test::compute_for(100us);
  }
}

runtime_options watched(std::size_t threads, std::chrono::milliseconds limit) {
  runtime_options options;
  options.threads = threads;
  options.stuck_after = limit;
  return options;
}

TEST(Watchdog, NamesTheFiberThatComputesAndItsStack) {
  const spool_test::captured_log log;
  runtime rt(watched(1, 50ms));
  rt.run([&] {
    go([&] {
      this_fiber::set_name("number cruncher");
      compute_until_told(log, "number cruncher");  // on a busy machine the worker may be late before it comes to this
    });
  });
  EXPECT_TRUE(log.has("worker 0 of runtime \"spool\" has been kept for")) << log.text();
  EXPECT_TRUE(log.has("\"number cruncher\" started at")) << log.text();
  EXPECT_TRUE(log.has("watchdog_test.cpp:")) << log.text();
  if (!spool_test::sanitized) {  // a sanitizer puts signals off
    EXPECT_TRUE(log.has("\n    #0 ")) << log.text();
  }
}

TEST(Watchdog, NamesTheFiberThatBlocksInASystemCall) {
  const spool_test::captured_log log;
  runtime rt(watched(2, 50ms));
  rt.run([&] {
    const int fd = ::eventfd(0, 0);
    go([fd] {
      this_fiber::set_name("blocker");
      std::uint64_t value = 0;
      EXPECT_EQ(::read(fd, &value, sizeof value), 8) << "the system call must go on as if nothing had been";
    });
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    const char* told = spool_test::thread_sanitized ? "has been kept for" : "\"blocker\"";
    while (!log.has(told) && std::chrono::steady_clock::now() < give_up) this_fiber::sleep_for(5ms);
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(fd, &one, sizeof one), 8);
  });
  EXPECT_TRUE(log.has("has been kept for")) << log.text();
  if (spool_test::thread_sanitized) return;  // which puts the watchdog's signal off until the call has returned
  EXPECT_TRUE(log.has("\"blocker\" started at")) << log.text();
  if (!spool_test::sanitized) {
    EXPECT_TRUE(log.has("read")) << log.text();
  }
}

// The look at its stack ends a call that is not restarted, and the fiber goes on: it was stuck all the same.
TEST(Watchdog, NamesTheFiberWhoseSystemCallTheLookEnds) {
  constexpr int times = 10;
  const spool_test::captured_log log;
  runtime rt(watched(2, 50ms));
  rt.run([] {
    this_fiber::set_name("poller");
    for (int i = 0; i < times; ++i) {
      ::poll(nullptr, 0, 1000);
      this_fiber::yield();
    }
  });
  const std::string text = log.text();
  int told = 0;
  for (std::size_t at = text.find("\"poller\" started at"); at != std::string::npos; at = text.find("\"poller\" started at", at + 1)) {
    ++told;
  }
  if (spool_test::thread_sanitized) return;  // which puts the watchdog's signal off until the call has returned
  EXPECT_GE(told, times / 2) << text;  // one that waits for a CPU just then does not count
}

TEST(Watchdog, WhatWaitsInTheStuckWorkersQueueIsTakenByOthers) {
  const spool_test::captured_log log;
  runtime rt(watched(2, 100ms));
  std::atomic<int> ended{0};
  rt.run([&] {
    static constexpr int fibers = 100;
    latch all(fibers);
    go([&] {
      for (int i = 0; i < fibers; ++i) {
        go([&] {
          ++ended;
          all.count_down();
        });
      }
      // All of them stand in this worker's queue, which it does not look at any more.
      const auto give_up = std::chrono::steady_clock::now() + 30s;
      while (ended < fibers && std::chrono::steady_clock::now() < give_up) {
      }
      EXPECT_EQ(ended, fibers);
      compute_until_told(log);
    });
    all.wait();
  });
  EXPECT_TRUE(log.has("has been kept for")) << log.text();
}

TEST(Watchdog, IsSilentOfFibersThatWait) {
  const spool_test::captured_log log;
  runtime rt(watched(2, 200ms));
  rt.run([] {
    this_fiber::sleep_for(500ms);
    const auto end = std::chrono::steady_clock::now() + 500ms;
    while (std::chrono::steady_clock::now() < end) {
      spool_test::compute_for(1ms);
      this_fiber::sleep_for(1ms);
    }
  });
  EXPECT_EQ(log.text(), "");
}

TEST(Watchdog, IsSilentOfAWorkerThatGoesFromJobToJobOfAPool) {
  const spool_test::captured_log log;
  runtime rt(watched(1, 200ms));
  rt.run([] {
    constexpr std::size_t jobs = 400;  // fewer than a turn has
    worker_pool pool({.queue_capacity = jobs});
    for (std::size_t i = 0; i < jobs; ++i) {
      EXPECT_EQ(pool.try_post([] { spool_test::compute_for(1ms); }), channel_status::ok);
    }
    EXPECT_FALSE(pool.drain());
  });
  EXPECT_EQ(log.text(), "");
}

TEST(Watchdog, ZeroSwitchesItOff) {
  const spool_test::captured_log log;
  runtime rt(watched(1, 0ms));
  rt.run([] { spool_test::compute_for(300ms); });
  EXPECT_EQ(log.text(), "");
}

TEST(Watchdog, LeavesSigprofAsItWas) {
  struct sigaction before {};
  ::sigaction(SIGPROF, nullptr, &before);
  const spool_test::captured_log log;
  {
    runtime rt(watched(1, 50ms));
    rt.run([&] { compute_until_told(log); });
  }
  struct sigaction after {};
  ::sigaction(SIGPROF, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  EXPECT_TRUE(log.has("has been kept for"));
}

TEST(Watchdog, ANegativeLimitIsRefused) { EXPECT_THROW(runtime(watched(1, -1ms)), std::invalid_argument); }

}  // namespace
