// blocking: calls on helper threads while the fiber is parked. And what happens when the system has nothing left to give.
#include "captured_log.hpp"
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class Blocking : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Blocking);

TEST_P(Blocking, ReturnsWhatTheCallReturned) {
  run([] {
    EXPECT_EQ(blocking([] { return 5; }), 5);
    EXPECT_EQ(*blocking([] { return std::make_unique<int>(6); }), 6);
    int here = 0;
    EXPECT_EQ(&blocking([&]() -> int& { return here; }), &here);
    bool ran = false;
    blocking([&] { ran = true; });
    EXPECT_TRUE(ran);
  });
}

TEST_P(Blocking, RethrowsWhatTheCallThrew) {
  run([] {
    EXPECT_THROW(blocking([]() -> int { throw std::runtime_error("disk"); }), std::runtime_error);
    EXPECT_THROW(blocking([] { throw 3; }), int);
  });
}

TEST_P(Blocking, RunsOnAThreadThatIsNoWorker) {
  run([] {
    const auto mine = spool_test::thread_now();
    EXPECT_NE(blocking([] { return spool_test::thread_now(); }), mine);
    EXPECT_TRUE(blocking([] { return runtime::current() == nullptr && !this_fiber::id(); }));
  });
}

TEST_P(Blocking, ParksTheFiberAndLeavesTheWorkersFree) {
  // More calls block at once than there are workers, and only another fiber lets them go.
  run([] {
    constexpr int calls = 16;
    std::latch all_inside(calls), go_on(1);
    wait_group all;
    for (int i = 0; i < calls; ++i) {
      all.go([&] {
        blocking([&] {
          all_inside.count_down();
          go_on.wait();
        });
      });
    }
    spool_test::wait_until([&] { return all_inside.try_wait(); });
    go_on.count_down();
    all.wait();
  });
}

TEST_P(Blocking, NoMoreCallsAtOnceThanTheBound) {
  const spool_test::captured_log log;
  runtime rt({.threads = GetParam(), .blocking_threads = 3});
  std::atomic<int> inside{0}, most{0}, done{0};
  rt.run([&] {
    for (int i = 0; i < 60; ++i) {
      go([&] {
        blocking([&] {
          const int now = ++inside;
          for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
          }
          std::this_thread::sleep_for(1ms);
          --inside;
          ++done;
        });
      });
    }
  });
  EXPECT_EQ(done, 60);
  EXPECT_LE(most, 3);
  EXPECT_TRUE(log.has("all 3 threads for blocking calls are busy")) << log.text();
}

TEST_P(Blocking, AsManyCallsAtOnceAsTheBoundAllows) {
  runtime rt({.threads = GetParam(), .blocking_threads = 4});
  std::latch all_four(4);
  rt.run([&] {
    for (int i = 0; i < 4; ++i) go([&] { blocking([&] { all_four.arrive_and_wait(); }); });
  });
}

TEST_P(Blocking, ManyShortCallsAllReturn) {
  std::atomic<long> sum{0};
  run([&] {
    for (int i = 0; i < 100; ++i) {
      go([&] {
        for (int k = 0; k < 50; ++k) sum += blocking([k] { return k; });
      });
    }
  });
  EXPECT_EQ(sum, 100 * 1225);
}

TEST_P(Blocking, ThreadsAreUsedAgain) {
  run([] {
    std::vector<pid_t> threads;
    for (int i = 0; i < 200; ++i) {
      threads.push_back(blocking([] { return spool_test::thread_now(); }));
      this_fiber::yield();
    }
    std::sort(threads.begin(), threads.end());
    EXPECT_LT(std::unique(threads.begin(), threads.end()) - threads.begin(), 20);
  });
}

TEST_P(Blocking, ACallMayUseChannelsAsAPlainThread) {
  run([] {
    channel<int> ch;
    go([ch] { blocking([&] { EXPECT_TRUE(ch.send(3)); }); });
    EXPECT_EQ(ch.recv(), 3);
  });
}

TEST(BlockingOnAPlainThread, RunsTheCallWhereItIs) {
  const auto here = spool_test::thread_now();
  EXPECT_EQ(blocking([] { return spool_test::thread_now(); }), here);
  EXPECT_THROW(blocking([] { throw std::runtime_error("x"); }), std::runtime_error);
}

// The system says no. In a child, which lowers its own limit of address space.

std::size_t address_space_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmSize:", 0) == 0) return std::stoul(line.substr(7)) * 1024;
  }
  return 0;
}

void allow_no_more_than(std::size_t further_bytes) {
  const rlim_t most = address_space_bytes() + further_bytes;
  const rlimit limit{most, most};
  ::setrlimit(RLIMIT_AS, &limit);
}

class Exhaustion : public testing::Test {
 protected:
  void SetUp() override {
    if constexpr (spool_test::sanitized) GTEST_SKIP() << "a sanitizer needs its address space";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    spool_test::log_to_stderr();
  }
};

TEST_F(Exhaustion, WithoutAThreadTheRuntimeIsRefusedWithAnError) {
  EXPECT_EXIT(
      {
        allow_no_more_than(32 << 20);  // a thread's stack takes 8 MiB
        try {
          const runtime rt({.threads = 64});
        } catch (const std::system_error& e) {
          std::fprintf(stderr, "refused: %s\n", e.what());
          std::_Exit(0);
        }
      },
      testing::ExitedWithCode(0), "refused: ");
}

TEST_F(Exhaustion, WithoutAHelperThreadTheCallIsRefusedAndNotRun) {
  EXPECT_EXIT(
      {
        runtime rt({.threads = 1});
        const bool refused = rt.run([] {
          go([] {});
          this_fiber::yield();
          allow_no_more_than(1 << 20);
          bool ran = false;
          try {
            blocking([&] { ran = true; });
          } catch (const std::system_error&) {
            return !ran;
          }
          return false;
        });
        std::_Exit(refused ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(Exhaustion, WithoutStacksTasksStayQueuedUntilOneIsFree) {
  EXPECT_EXIT(
      {
        runtime rt({.threads = 2, .stack_bytes = 1 << 20});
        std::atomic<int> ran{0};
        rt.run([&] {
          allow_no_more_than(256 << 20);  // 1,000 stacks of 1 MiB do not fit
          for (int i = 0; i < 1000; ++i) {
            go([&ran] {
              this_fiber::sleep_for(2ms);  // holds its stack meanwhile
              ++ran;
            });
          }
        });
        std::_Exit(ran == 1000 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "no further fiber stacks of 1048576 bytes: mmap failed .*stay queued");
}

}  // namespace
