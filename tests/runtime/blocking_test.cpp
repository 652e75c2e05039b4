// blocking: calls on helper threads while the fiber is parked; their growth, their bound, their end. And what happens
// when the system has nothing left to give.
#include "captured_log.hpp"
#include "exhaustion.hpp"
#include "threads.hpp"

#include <runtime/blocking_threads.hpp>
#include <support/runtimes.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <latch>
#include <limits>
#include <list>
#include <memory>
#include <semaphore>
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
  std::latch all_are_there(1);
  rt.run([&] {
    go([&] {
      while (blocking_stats().queued != 60 - 3) this_fiber::yield();
      all_are_there.count_down();
    });
    for (int i = 0; i < 60; ++i) {
      go([&] {
        blocking([&] {
          const int now = ++inside;
          for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
          }
          all_are_there.wait();
          std::this_thread::sleep_for(1ms);
          --inside;
          ++done;
        });
      });
    }
  });
  EXPECT_EQ(done, 60);
  EXPECT_EQ(most, 3);
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
    std::vector<pid_t> threads;  // by the kernel's ids: a pthread_t is used again
    for (int i = 0; i < 200; ++i) {
      threads.push_back(blocking([] { return ::gettid(); }));
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

// The numbers of threads, with a bound of its own for how long an idle one stays.

/// Calls that stay inside until they are let go, straight into a pool of helper threads.
class held_calls {
 public:
  explicit held_calls(detail::blocking_threads& threads) : threads_(threads) {}
  ~held_calls() {
    let_go(std::numeric_limits<std::ptrdiff_t>::max() / 2);
    for (call& c : calls_) c.frame.self.wait({"blocking", &c});
  }

  void submit() { threads_.submit(calls_.emplace_back(*this).frame); }
  void let_go(std::ptrdiff_t n = 1) { gate_.release(n); }
  /// Waits for the call that was submitted first.
  void join_first() {
    calls_.front().frame.self.wait({"blocking", this});
    calls_.pop_front();
  }
  bool withdraw_last() {
    if (!threads_.withdraw(calls_.back().frame)) return false;
    calls_.pop_back();
    return true;
  }
  std::size_t inside() const { return inside_; }

 private:
  struct call {
    explicit call(held_calls& owner)
        : f([&owner] {
            ++owner.inside_;
            owner.gate_.acquire();
            --owner.inside_;
          }),
          frame(f) {}
    std::function<void()> f;
    detail::blocking_frame<std::function<void()>> frame;
  };

  detail::blocking_threads& threads_;
  std::counting_semaphore<> gate_{0};
  std::atomic<std::size_t> inside_{0};
  std::list<call> calls_;
};

template <class Condition>
void spin_until(Condition condition) {
  while (!condition()) std::this_thread::yield();
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

constexpr detail::blocking_timing patient{.idle_for = 24h, .report_every = 0ms};

TEST(BlockingThreads, GrowToTheBoundAndNotBeyond) {
  const spool_test::captured_log log;
  detail::blocking_threads threads(5, "test", patient);
  held_calls calls(threads);
  EXPECT_EQ(threads.stats().threads, 0u);
  for (std::size_t n = 1; n <= 5; ++n) {
    calls.submit();
    spin_until([&] { return calls.inside() == n; });
    EXPECT_EQ(threads.stats().threads, n);
    EXPECT_FALSE(threads.stats().saturated);
  }
  for (std::size_t n = 1; n <= 20; ++n) {
    calls.submit();
    EXPECT_EQ(threads.stats().threads, 5u);
    EXPECT_EQ(threads.stats().busy, 5u);
    EXPECT_EQ(threads.stats().queued, n);
    EXPECT_TRUE(threads.stats().saturated);
  }
  calls.let_go(20);
  spin_until([&] { return threads.stats().queued == 0; });
  EXPECT_FALSE(threads.stats().saturated);
  EXPECT_EQ(threads.stats().saturations, 1u);
}

TEST(BlockingThreads, GrowOnlyWhenNoneIsIdleOrOnItsWay) {
  detail::blocking_threads threads(64, "test", patient);
  held_calls calls(threads);
  for (int i = 0; i < 200; ++i) {
    calls.submit();
    calls.submit();  // with the first still in the queue, or not
    calls.let_go(2);
    calls.join_first();
    calls.join_first();
    spin_until([&] { return threads.stats().busy == 0; });
  }
  EXPECT_LE(threads.stats().threads, 3u) << "two, and one for a call that came just as another ended";
}

TEST(BlockingThreads, EndWhenTheyHaveBeenIdleForLong) {
  detail::blocking_threads threads(8, "test", {.idle_for = 1ms});
  held_calls calls(threads);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 8; ++i) calls.submit();
    spin_until([&] { return calls.inside() == 8; });
    EXPECT_EQ(threads.stats().threads, 8u);
    calls.let_go(8);
    for (int i = 0; i < 8; ++i) calls.join_first();
    spin_until([&] { return threads.stats().threads == 0; });
  }
}

TEST(BlockingThreads, ATrickleOfCallsDoesNotKeepACrowdAlive) {
  detail::blocking_threads threads(16, "test", {.idle_for = 50ms});
  held_calls calls(threads);
  for (int i = 0; i < 16; ++i) calls.submit();
  spin_until([&] { return calls.inside() == 16; });
  calls.let_go(16);
  for (int i = 0; i < 16; ++i) calls.join_first();
  // Never idle for 50 ms as a whole. Were they called in turn, each would get a call before it is idle for so long.
  for (int i = 0; threads.stats().threads > 4; ++i) {
    ASSERT_LT(i, 1'000'000) << threads.stats().threads << " are still there";
    calls.submit();
    calls.let_go();
    calls.join_first();
  }
}

TEST(BlockingThreads, SaturationIsReportedOncePerEpisode) {
  const spool_test::captured_log log;
  detail::blocking_threads threads(2, "test", patient);
  held_calls calls(threads);
  for (std::size_t episode = 1; episode <= 3; ++episode) {
    for (int i = 0; i < 6; ++i) calls.submit();
    EXPECT_EQ(times(log.text(), "all 2 threads for blocking calls are busy"), episode) << log.text();
    EXPECT_EQ(threads.stats().saturations, episode);
    calls.let_go(6);
    for (int i = 0; i < 6; ++i) calls.join_first();
  }
}

TEST(BlockingThreads, ReportsOfSaturationAreRare) {
  const spool_test::captured_log log;
  detail::blocking_threads threads(1, "test", {.report_every = 24h});
  held_calls calls(threads);
  for (int episode = 0; episode < 5; ++episode) {
    for (int i = 0; i < 3; ++i) calls.submit();
    calls.let_go(3);
    for (int i = 0; i < 3; ++i) calls.join_first();
  }
  EXPECT_EQ(times(log.text(), "threads for blocking calls"), 1u) << log.text();
  EXPECT_GE(threads.stats().saturations, 1u);
}

TEST(BlockingThreads, AWithdrawnCallEndsTheSaturation) {
  const spool_test::captured_log log;
  detail::blocking_threads threads(1, "test", patient);
  held_calls calls(threads);
  calls.submit();
  spin_until([&] { return calls.inside() == 1; });
  for (std::size_t episode = 1; episode <= 3; ++episode) {
    calls.submit();
    EXPECT_TRUE(threads.stats().saturated);
    EXPECT_TRUE(calls.withdraw_last());
    EXPECT_FALSE(threads.stats().saturated);
    EXPECT_EQ(threads.stats().saturations, episode);
  }
  EXPECT_EQ(threads.pending(), 1u);
}

TEST_P(Blocking, StatsTellThatCallsWaitAndAWithdrawnOneIsNotRun) {
  const spool_test::captured_log log;
  runtime rt({.threads = GetParam(), .blocking_threads = 1});
  EXPECT_EQ(blocking_stats(rt).threads, 0u);
  EXPECT_EQ(blocking_stats(rt).bound, 1u);
  rt.run([] {
    std::binary_semaphore release(0);
    wait_group all;
    all.go([&] { blocking([&] { release.acquire(); }); });
    spool_test::wait_until([] { return blocking_stats().busy == 1; });
    const cancel_scope scope = with_cancel(context::background());
    std::atomic<bool> ran{false};
    for (int i = 0; i < 3; ++i) {
      all.go([&] { EXPECT_EQ(blocking(scope.ctx(), [&] { ran = true; }).error(), errc::canceled); });
    }
    spool_test::wait_until([] { return blocking_stats().queued == 3; });
    EXPECT_TRUE(blocking_stats().saturated);
    scope.cancel();
    spool_test::wait_until([] { return blocking_stats().queued == 0; });
    EXPECT_FALSE(blocking_stats().saturated);
    EXPECT_EQ(blocking_stats().saturations, 1u);
    release.release();
    all.wait();
    EXPECT_FALSE(ran);
  });
  EXPECT_THROW((void)blocking_stats(), std::logic_error);
}

// The system says no. In a child, which lowers its own limits.

class Exhaustion : public testing::Test {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    spool_test::log_to_stderr();
  }
};

TEST_F(Exhaustion, WithoutAThreadTheRuntimeIsRefusedWithAnError) {
  EXPECT_EXIT(
      {
        spool_test::allow_no_more_than(32 << 20);  // a thread's stack takes 8 MiB
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
          spool_test::allow_no_more_than(1 << 20);
          bool ran = false;
          try {
            blocking([&] { ran = true; });
          } catch (const std::system_error& e) {
            std::fprintf(stderr, "%s\n", e.what());
            return !ran;
          }
          return false;
        });
        std::_Exit(refused ? 0 : 1);
      },
      testing::ExitedWithCode(0), "no helper thread can be started. Raise the limit on threads");
}

TEST_F(Exhaustion, WithOneHelperThreadFurtherCallsWaitForItAndTheLogSaysWhy) {
  EXPECT_EXIT(
      {
        runtime rt({.threads = 1});
        std::atomic<int> ran{0};
        rt.run([&] {
          wait_group all;
          std::binary_semaphore release{0};
          all.go([&] {
            blocking([&] {
              release.acquire();
              ++ran;
            });
          });
          spool_test::wait_until([] { return blocking_stats().busy == 1; });
          go([] {});
          this_fiber::yield();
          spool_test::allow_no_more_than(1 << 20);
          all.go([&] { blocking([&] { ++ran; }); });
          spool_test::wait_until([] { return blocking_stats().queued == 1; });
          release.release();
          all.wait();
        });
        std::_Exit(ran == 2 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "no further thread can be started for a blocking call.*Raise the limit on threads");
}

TEST_F(Exhaustion, WithoutStacksTasksStayQueuedUntilOneIsFree) {
  EXPECT_EXIT(
      {
        runtime rt({.threads = 2, .stack_bytes = 1 << 20});
        std::atomic<int> ran{0};
        rt.run([&] {
          spool_test::allow_no_more_than(256 << 20);  // 1,000 stacks of 1 MiB do not fit
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
