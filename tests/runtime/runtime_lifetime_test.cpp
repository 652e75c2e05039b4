// What runtimes leave behind: no thread, no memory, no file.
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <string>
#include <thread>

namespace {

using namespace spool;
using namespace std::chrono_literals;

std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stoul(line.substr(6));
  }
  return 0;
}

std::size_t open_files() {
  DIR* files = ::opendir("/proc/self/fd");
  std::size_t count = 0;
  while (::readdir(files) != nullptr) ++count;
  ::closedir(files);
  return count;
}

/// A joined thread stays listed for a moment after pthread_join has returned.
bool threads_settle_at(std::size_t expected) {
  for (int i = 0; i < 10'000; ++i) {
    if (spool_test::threads_of_process() <= expected) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

void use_a_runtime(std::size_t threads) {
  runtime rt({.threads = threads});
  rt.run([] {
    channel<int> ch;
    for (int i = 0; i < 20; ++i) {
      go([ch, i] {
        this_fiber::set_name("sender");
        EXPECT_TRUE(ch.send(i));
      });
    }
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(ch.recv());
    this_fiber::sleep_for(10us);
    blocking([] {});
  });
}

class RuntimeLifetime : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(RuntimeLifetime);

TEST_P(RuntimeLifetime, AThousandRuntimesLeaveNothing) {
  const std::size_t threads = spool_test::threads_of_process();
  for (int i = 0; i < 100; ++i) use_a_runtime(GetParam());  // caches fill
  const std::size_t files = open_files();
  const std::size_t before = resident_kib();
  for (int i = 0; i < 900; ++i) use_a_runtime(GetParam());
  EXPECT_TRUE(threads_settle_at(threads)) << spool_test::threads_of_process() << " threads, there were " << threads;
  EXPECT_EQ(open_files(), files);
  if constexpr (!spool_test::sanitized) {
    EXPECT_LT(resident_kib(), before + 8 * 1024) << "KiB; before: " << before;
  }
}

TEST_P(RuntimeLifetime, ManyFibersGiveTheirMemoryBack) {
  auto wave = [this] {
    run([] {
      channel<int> gate;
      wait_group all;
      for (int i = 0; i < spool_test::live_fibers(5000); ++i) all.go([&] { (void)gate.recv(); });
      gate.close();
      all.wait();
    });
  };
  wave();
  const std::size_t before = resident_kib();
  for (int i = 0; i < 10; ++i) wave();
  if constexpr (!spool_test::sanitized) {
    EXPECT_LT(resident_kib(), before + 16 * 1024) << "KiB; before: " << before;
  }
}

TEST(RuntimeLifetimeSideBySide, ManyRuntimesLiveAtOnce) {
  const std::size_t threads = spool_test::threads_of_process();
  {
    std::vector<std::unique_ptr<runtime>> all;
    for (int i = 0; i < 50; ++i) all.push_back(std::make_unique<runtime>(runtime_options{.threads = 2}));
    channel<int> answers(50);
    for (auto& rt : all) rt->go([=] { EXPECT_TRUE(answers.send(1)); });
    int sum = 0;
    for (std::size_t i = 0; i < all.size(); ++i) sum += answers.recv().value_or(0);
    EXPECT_EQ(sum, 50);
  }
  EXPECT_TRUE(threads_settle_at(threads));
}

TEST(RuntimeLifetimeSideBySide, RuntimesAreMadeAndEndedFromManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) use_a_runtime(2);
    });
  }
  for (auto& t : threads) t.join();
}

// A worker that found the last run drained, and got its CPU back only in the next one, ended that one early. It takes a
// thousand runs or so under ThreadSanitizer to see it.
TEST(RuntimeLifetimeSideBySide, ARunDoesNotEndForThoseOfTheRunBefore) {
  spool::runtime rt({.threads = 4});
  for (int round = 0; round < 500; ++round) {
    std::atomic<int> alive{0};
    rt.run([&] {
      for (int i = 0; i < 4; ++i) {
        ++alive;
        spool::go([&] {
          for (int turn = 0; turn < 5; ++turn) spool::this_fiber::yield();
          --alive;
        });
      }
    });
    ASSERT_EQ(alive, 0);
  }
}

}  // namespace
