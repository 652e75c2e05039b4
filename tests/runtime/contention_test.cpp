// Fibers that talk all the time gather on one worker; fibers that compute, and pinned ones, stay where they are.
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool::detail::contention_mark;

TEST(ContentionMark, NamesWhoCameFirst) {
  contention_mark mark;
  const detail::time_point now{1h};
  EXPECT_EQ(mark.claim(3, now), 3u);
  EXPECT_EQ(mark.claim(1, now + 1ms), 3u);
  EXPECT_EQ(mark.claim(3, now + 2ms), 3u);
}

TEST(ContentionMark, IsForgotten) {
  contention_mark mark;
  const detail::time_point now{1h};
  EXPECT_EQ(mark.claim(3, now), 3u);
  EXPECT_EQ(mark.claim(1, now + 20ms), 1u);
  EXPECT_EQ(mark.claim(3, now + 21ms), 1u);
}

/// Two fibers, each on a worker of its own, that find the same lock taken. No lock is there: on a busy machine two threads may
/// run by turns, and never meet.
class Contention : public testing::Test {
 protected:
  using deadline = std::chrono::steady_clock::time_point;

  /// Returns on two fibers once they run on two threads. While the first holds its worker, the second is taken over.
  void part(std::size_t self) {
    on_[self] = spool_test::thread_now();
    ++arrived_;
    while (arrived_ < 2 && !late()) {
    }
    apart_ = on_[0] != on_[1];
  }
  void operate(std::size_t self, int times = 64) {
    for (int i = 0; i < times; ++i) {
      detail::meet_contention(mark_);
      detail::spend_budget();
    }
    operations_[self] += static_cast<std::uint64_t>(times);
    on_[self] = spool_test::thread_now();
  }
  bool late() const { return std::chrono::steady_clock::now() > give_up_; }
  bool together() const { return on_[0] == on_[1]; }

  template <class First, class Second>
  void run(First first, Second second) {
    runtime rt({.threads = 2});
    rt.run([&] {
      wait_group both;
      both.go([&] { first(); });
      both.go([&] { second(); });
      both.wait();
    });
    EXPECT_TRUE(apart_) << "the fibers never ran beside each other, so nothing was shown";
  }

  contention_mark mark_;
  std::array<std::atomic<spool_test::thread_id>, 2> on_{};
  std::array<std::atomic<std::uint64_t>, 2> operations_{};
  std::atomic<int> arrived_{0};
  std::atomic<bool> apart_{false};
  const deadline give_up_ = std::chrono::steady_clock::now() + 60s;
};

TEST_F(Contention, BringsFibersTogether) {
  std::atomic<bool> done{false};
  const auto talk = [&](std::size_t self) {
    part(self);
    while (!done && !late()) {
      operate(self);
      if (together()) done = true;
    }
  };
  run([&] { talk(0); }, [&] { talk(1); });
  EXPECT_TRUE(done);
}

TEST_F(Contention, LeavesFibersThatComputeApart) {
  std::atomic<bool> moved{false};
  const auto compute = [&](std::size_t self) {
    part(self);
    const spool_test::thread_id began_on = spool_test::thread_now();
    for (int i = 0; i < 2000; ++i) {
      spool_test::compute_for(spool_test::thread_sanitized ? 100us : 5us);
      operate(self, 1);
      if (on_[self] != began_on) moved = true;
    }
  };
  run([&] { compute(0); }, [&] { compute(1); });
  EXPECT_FALSE(moved);
}

TEST_F(Contention, LeavesPinnedFibersWhereTheyAre) {
  const auto talk = [&](std::size_t self) {
    const this_fiber::pin stay;
    part(self);
    const spool_test::thread_id began_on = spool_test::thread_now();
    for (int i = 0; i < 3'000; ++i) operate(self);
    EXPECT_EQ(spool_test::thread_now(), began_on);
  };
  run([&] { talk(0); }, [&] { talk(1); });
}

TEST_F(Contention, StrandsNobodyOnAWorkerThatComputes) {
  // The first never lets its worker look: what moves there must be given back by the monitor.
  std::atomic<bool> done{false};
  int stalls = 0;
  run(
      [&] {
        part(0);
        std::uint64_t seen = 0;
        auto since = std::chrono::steady_clock::now();
        while (stalls < 5 && !late()) {
          for (int i = 0; i < 64; ++i) detail::meet_contention(mark_);
          const auto now = std::chrono::steady_clock::now();
          const std::uint64_t done_by_second = operations_[1];
          if (std::exchange(seen, done_by_second) != done_by_second) {
            since = now;
          } else if (now - since > 1ms) {
            ++stalls;
            while (operations_[1] == seen && !late()) {
            }
          }
        }
        done = true;
      },
      [&] {
        part(1);
        while (!done) operate(1);
      });
  EXPECT_FALSE(late()) << "the second fiber made no progress beside the first after " << stalls << " stalls";
}

class FibersThatTalk : public spool_test::WithWorkers {};
INSTANTIATE_TEST_SUITE_P(Workers, FibersThatTalk, testing::Values(2, 4, 8),
                         [](const auto& workers) { return std::to_string(workers.param); });

/// Producers and consumers of one channel, and who receives its messages.
struct traffic {
  std::atomic<bool> stop{false};
  std::atomic<spool_test::thread_id> last{0};
  std::atomic<std::uint64_t> in_a_row{0};  // messages received on one thread
  std::atomic<bool> changed{false};

  void note() {
    const spool_test::thread_id here = spool_test::thread_now();
    if (last.exchange(here) == here) {
      ++in_a_row;
    } else {
      in_a_row = 0;
      changed = true;
    }
  }

  /// Does `work` for each message, until `enough` says so.
  template <class Work, class Enough>
  void run(int side, Work work, Enough enough) {
    const channel<int> shared(16);
    wait_group producers, consumers;
    for (int i = 0; i < side; ++i) {
      producers.go([&] {
        while (!stop && shared.send(1)) {
        }
      });
      consumers.go([&] {
        while (shared.recv()) {
          work();
          note();
          if (enough()) stop = true;
        }
      });
    }
    producers.wait();
    shared.close();
    consumers.wait();
  }
};

TEST_P(FibersThatTalk, EndUpOnOneWorkerAfterTheyWereSpread) {
  // A worker that lost its CPU looks idle and is robbed: where CPUs are short, fibers stay together for a time slice only.
  const bool crowded = static_cast<unsigned>(GetParam()) > std::thread::hardware_concurrency();
  const std::uint64_t enough = crowded || spool_test::thread_sanitized ? 1'000 : 20'000;
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  run([&] {
    traffic t;
    std::atomic<bool> spread{false}, gathered{false};
    t.run(
        8,
        [&] {
          if (!spread) spool_test::compute_for(20us);
        },
        [&] {
          if (t.changed && !spread.exchange(true)) t.in_a_row = 0;
          if (spread && t.in_a_row > enough) gathered = true;
          return gathered || std::chrono::steady_clock::now() > give_up;
        });
    EXPECT_TRUE(spread) << "work did not spread, so nothing was shown";
    EXPECT_TRUE(gathered);
  });
}

TEST_P(FibersThatTalk, SpreadWhenTheirMessagesTakeWork) {
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  run([&] {
    traffic t;
    std::atomic<bool> heavy{false};
    t.run(
        8,
        [&] {
          if (heavy) spool_test::compute_for(5us);
        },
        [&] {
          if (!heavy && t.in_a_row > 1'000) {
            t.changed = false;
            heavy = true;
          }
          return (heavy && t.changed) || std::chrono::steady_clock::now() > give_up;
        });
    EXPECT_TRUE(heavy && t.changed);
  });
}

}  // namespace
