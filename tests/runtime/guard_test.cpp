// Stacks: every one is guarded (fails when built with SPOOL_WITHOUT_GUARDS), and an overflow says whose it is.
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <runtime/stack_depot.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace spool;
using detail::stack_depot;

/// The stack that the calling fiber runs on.
[[gnu::noinline]] detail::stack_memory stack_here() {
  volatile char mark = 0;
  const stack_depot::location at = stack_depot::find(const_cast<char*>(&mark));
  EXPECT_FALSE(at.in_guard);
  return at.stack;
}

class Guard : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Guard);

TEST_P(Guard, EveryStackHandedToAFiberIsGuarded) {
  constexpr int fibers = spool_test::live_fibers(3000);  // several slabs
  std::atomic<int> guarded{0};
  std::set<void*> stacks;
  mutex mu;
  run([&] {
    channel<int> gate;
    wait_group all;
    for (int i = 0; i < fibers; ++i) {
      all.go([&] {
        const detail::stack_memory mine = stack_here();
        guarded += mine && stack_depot::guarded(mine);
        {
          const std::lock_guard lock(mu);
          stacks.insert(mine.low);
        }
        (void)gate.recv();  // so that no two share a stack
      });
    }
    spool_test::wait_until([&] {
      const std::lock_guard lock(mu);
      return stacks.size() == fibers;
    });
    gate.close();
    all.wait();
  });
  EXPECT_EQ(stacks.size(), static_cast<std::size_t>(fibers));
  EXPECT_EQ(guarded, fibers);
}

TEST_P(Guard, StacksOfAnySizeAreGuarded) {
  for (const std::size_t bytes : {std::size_t{16384}, std::size_t{20'000}, std::size_t{1} << 20}) {
    runtime rt({.threads = GetParam(), .stack_bytes = bytes});
    rt.run([&] {
      const detail::stack_memory mine = stack_here();
      EXPECT_GE(mine.bytes, bytes);
      EXPECT_TRUE(stack_depot::guarded(mine));
    });
  }
}

TEST_P(Guard, AStackUsedAgainIsStillGuarded) {
  for (int round = 0; round < 20; ++round) {
    run([] {
      wait_group all;
      for (int i = 0; i < 50; ++i) {
        all.go([] {
          this_fiber::yield();
          EXPECT_TRUE(stack_depot::guarded(stack_here()));
        });
      }
      all.wait();
    });
  }
}

/// Touches about `bytes` of the stack below.
[[gnu::noinline]] void touch(std::size_t bytes) {
  auto* frame = static_cast<volatile char*>(__builtin_alloca(bytes));
  for (std::size_t i = 0; i < bytes; i += 1024) frame[i] = 1;
}

TEST_P(Guard, TheHighWaterMarkIsWhatAFiberTouched) {
  runtime rt({.threads = GetParam(), .stack_bytes = 512 * 1024});
  const std::size_t little = rt.run([] { return this_fiber::stack_high_water(); });
  EXPECT_GT(little, 0u);
  EXPECT_LT(little, 64u * 1024);
  rt.run([&] {
    const std::size_t before = this_fiber::stack_high_water();
    touch(200 * 1024);
    const std::size_t after = this_fiber::stack_high_water();
    EXPECT_GE(after, 200u * 1024);
    EXPECT_GE(after, before);
    EXPECT_LE(after, 200u * 1024 + 64 * 1024);
    EXPECT_EQ(rt.stack_usage().high_water, after);
    EXPECT_EQ(rt.stack_usage().stack_bytes, 512u * 1024);
    EXPECT_GE(rt.stack_usage().stacks, 1u);
  });
  EXPECT_EQ(this_fiber::stack_high_water(), 0u) << "a plain thread";
}

TEST_P(Guard, TheHighWaterMarkOutlivesTheStackThatReachedIt) {
  const std::size_t bytes = (768 + 4 * GetParam()) * 1024;  // stacks of a size that no other test has touched
  runtime rt({.threads = GetParam(), .stack_bytes = bytes});
  EXPECT_LT(rt.stack_usage().high_water, 300u * 1024);  // from here on it is kept
  {
    runtime other({.threads = 1, .stack_bytes = bytes});
    other.run([] { touch(300 * 1024); });
  }
  EXPECT_GE(rt.stack_usage().high_water, 300u * 1024);
}

volatile int bottom = -1;
volatile int* const no_address = reinterpret_cast<volatile int*>(16);  // a sanitizer would look for null before the access

[[gnu::noinline]] int dig(int depth) {
  if (depth == bottom) return 0;
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  return dig(depth + 1) + frame[0];
}

class StackOverflow : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    ::setenv("SPOOL_STACK_GUARDS", GetParam(), 1);  // read with the first stack, which the child alone takes
  }
  void TearDown() override { ::unsetenv("SPOOL_STACK_GUARDS"); }
};
INSTANTIATE_TEST_SUITE_P(Guards, StackOverflow, testing::Values("auto", "madvise", "mprotect"),
                         [](const auto& guards) { return std::string(guards.param); });

TEST_P(StackOverflow, NamesTheFiberAndItsStackAndDiesBySegv) {
  const auto scene = [] {
    runtime rt({.threads = 2, .stack_bytes = 64 * 1024});
    rt.run([] {
      go([] {
        (void)this_fiber::id();
        this_fiber::set_name("digger");
        std::_Exit(dig(0));
      });
      context::background().wait();
    });
  };
  const std::string where = "guard_test.cpp:" + std::to_string(__LINE__ - 8);
  EXPECT_EXIT(scene(), testing::KilledBySignal(SIGSEGV),
              "stack overflow in fiber [1-9][0-9]* \"digger\", started at .*" + where + ", stack size 65536 bytes");
}

TEST_P(StackOverflow, IsToldAfterAMigrationToo) {
  EXPECT_EXIT(
      {
        runtime rt({.threads = 4, .stack_bytes = 128 * 1024});
        rt.run([] {
          for (int i = 0; i < 16; ++i) {
            go([i] {
              for (int k = 0; k < 100; ++k) {
                spool_test::compute_for(std::chrono::microseconds(10));
                this_fiber::yield();
              }
              if (i == 7) {
                this_fiber::set_name("seven");
                std::_Exit(dig(0));
              }
              context::background().wait();
            });
          }
          context::background().wait();
        });
      },
      testing::KilledBySignal(SIGSEGV), "stack overflow in fiber .* \"seven\", .*stack size 131072 bytes");
}

/// Goes down the stack in steps that differ from try to try, and waits at each, so that the end comes now in a frame of the
/// user's, now in the midst of a switch.
[[gnu::noinline]] int dig_and_wait(int depth, std::size_t step) {
  if (depth == bottom) return 0;
  auto* frame = static_cast<volatile char*>(__builtin_alloca(step));
  frame[0] = static_cast<char>(depth);
  this_fiber::yield();
  return dig_and_wait(depth + 1, step) + frame[0];
}

TEST_P(StackOverflow, NamesTheFiberInAHundredTriesOfAHundred) {
  for (int i = 0; i < 100; ++i) {
    const auto scene = [i] {
      runtime rt({.threads = 1 + static_cast<std::size_t>(i) % 4, .stack_bytes = 32 * 1024});
      rt.run([i] {
        for (int other = 0; other < 3; ++other) {
          go([] {
            for (;;) this_fiber::yield();
          });
        }
        go([i] {
          this_fiber::set_name("digger " + std::to_string(i));
          std::_Exit(i % 2 == 0 ? dig_and_wait(0, 48 + 16 * static_cast<std::size_t>(i)) : dig(i));
        });
        context::background().wait();
      });
    };
    EXPECT_EXIT(scene(), testing::KilledBySignal(SIGSEGV),
                "stack overflow in fiber [1-9][0-9]* \"digger " + std::to_string(i) +
                    "\", started at .*guard_test.cpp:[0-9]+, stack size 32768 bytes")
        << "try " << i;
  }
}

// A sanitizer, whose handler was there before ours, has a word of its own to say.
const char* const not_our_word = spool_test::sanitized ? "^(Address|Thread)Sanitizer:DEADLYSIGNAL" : "^$";
bool died(int status) {
  return spool_test::sanitized ? WIFEXITED(status) : WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

TEST_P(StackOverflow, AStrayAccessToAGuardIsNotCalledAnOverflow) {
  EXPECT_EXIT(
      {
        runtime rt({.threads = 1});
        const std::byte* below = rt.run([] { return stack_here().low - 1; });
        std::_Exit(static_cast<int>(*static_cast<const volatile std::byte*>(below)));
      },
      died, not_our_word);
}

TEST_P(StackOverflow, AnotherBadAccessIsNotCalledAnOverflow) {
  EXPECT_EXIT(spool::run([] {
                volatile int* volatile nowhere = no_address;
                go([=] { std::_Exit(*nowhere); });
                context::background().wait();
              }),
              died, not_our_word);
}

TEST_P(StackOverflow, AHandlerInstalledBeforeSeesTheOtherFaults) {
  EXPECT_EXIT(
      {
        struct sigaction mine {};
        mine.sa_handler = [](int) { std::_Exit(33); };
        ::sigaction(SIGSEGV, &mine, nullptr);
        spool::run([] {
          volatile int* volatile nowhere = no_address;
          std::_Exit(*nowhere);
        });
      },
      testing::ExitedWithCode(33), "");
}

TEST_P(StackOverflow, AHandlerInstalledBeforeForOneFaultSeesOne) {
  EXPECT_EXIT(
      {
        struct sigaction mine {};
        mine.sa_flags = static_cast<int>(SA_RESETHAND);
        mine.sa_handler = [](int) { (void)!::write(STDERR_FILENO, "mine", 4); };
        ::sigaction(SIGSEGV, &mine, nullptr);
        spool::run([] {
          volatile int* volatile nowhere = no_address;
          std::_Exit(*nowhere);
        });
      },
      testing::KilledBySignal(SIGSEGV), "^mine$");
}

}  // namespace
