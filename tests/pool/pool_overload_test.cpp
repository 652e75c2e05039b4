// A pool that is offered up to a hundred times what it can do: it goes on doing what it can, refuses the rest, keeps
// nothing of what it refused, and is as before when the load is. Rates are in a bubble's time; bench/compare/burst has
// the same in real time.
#include "support/runtimes.hpp"

#include <spool/testing/bubble.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::channel_status;
using spool::worker_pool;

constexpr std::size_t pool_workers = 8;
constexpr std::size_t queue_capacity = 16;
constexpr std::array<std::uint64_t, 5> loads{1, 2, 5, 10, 100};

/// Jobs of 10 ms, offered at a steady rate.
class offered_load {
 public:
  static constexpr auto job_takes = 10ms;
  static constexpr auto tick = 10ms / pool_workers;  // one job per tick: what the pool can do

  explicit offered_load(worker_pool& pool) : pool_(pool) {}

  /// Returns how many jobs ended within `length`.
  std::uint64_t offer(std::uint64_t per_tick, std::chrono::nanoseconds length, std::chrono::nanoseconds every = tick) {
    const std::uint64_t before = pool_.stats().completed;
    const auto end = spool::this_fiber::now() + length;
    for (auto at = spool::this_fiber::now(); at < end; at += every) {
      spool::this_fiber::sleep_until(at);
      for (std::uint64_t i = 0; i < per_tick; ++i) offer_one();
    }
    spool::this_fiber::sleep_until(end);
    return pool_.stats().completed - before;
  }

  std::uint64_t offered = 0;
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::chrono::nanoseconds longest{};  // from the offer to the end, since it was last set

 private:
  void offer_one() {
    ++offered;
    const auto said = pool_.try_post([this, since = spool::this_fiber::now()] {
      spool::this_fiber::sleep_for(job_takes);
      longest = std::max(longest, std::chrono::nanoseconds(spool::this_fiber::now() - since));
    });
    ++(said == channel_status::ok ? accepted : rejected);
  }

  worker_pool& pool_;
};

TEST(PoolOverload, GoodputStaysAndLatencyRecovers) {
  spool::testing::run_in_bubble([] {
    worker_pool pool({.workers = pool_workers, .queue_capacity = queue_capacity});
    offered_load load(pool);
    std::vector<std::uint64_t> done;
    for (const std::uint64_t times : loads) done.push_back(load.offer(times, 1s));
    const std::uint64_t peak = *std::max_element(done.begin(), done.end());
    for (std::size_t i = 0; i < loads.size(); ++i) EXPECT_GE(done[i] * 10, peak * 9) << loads[i] << " times";
    EXPECT_GE(peak, 790u);  // of the 800 that eight workers can do in a second

    constexpr auto half_the_rate = 2 * offered_load::tick;
    (void)load.offer(1, 1s, half_the_rate);
    const std::uint64_t rejected = load.rejected;
    load.longest = 0ns;
    (void)load.offer(1, 1s, half_the_rate);
    EXPECT_EQ(load.rejected, rejected);
    EXPECT_EQ(load.longest, offered_load::job_takes);

    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(load.accepted + load.rejected, load.offered);
    EXPECT_EQ(pool.stats().accepted, load.accepted);
    EXPECT_EQ(pool.stats().rejected, load.rejected);
    EXPECT_EQ(pool.stats().completed, load.accepted);
  });
}

// Jobs that do not wait: they run when who offers them gives way, which a refusal must make it do.
TEST(PoolOverload, JobsThatComputeGetTheirTurnBesideAFiberThatOnlyOffers) {
  spool::testing::run_in_bubble([] {
    constexpr std::uint64_t turn = 512;  // operations
    worker_pool pool({.workers = pool_workers, .queue_capacity = queue_capacity});
    std::uint64_t offered = 0, accepted = 0, refused_since = 0, most_refused = 0;
    while (pool.stats().completed < 1000 && offered < 1'000'000) {
      ++offered;
      if (pool.try_post([] {}) == channel_status::ok) {
        ++accepted;
        refused_since = 0;
      } else {
        most_refused = std::max(most_refused, ++refused_since);
      }
    }
    EXPECT_LE(most_refused, turn);
    EXPECT_FALSE(pool.drain());
    EXPECT_EQ(pool.stats().accepted, accepted);
    EXPECT_EQ(pool.stats().accepted + pool.stats().rejected, offered);
    EXPECT_EQ(pool.stats().completed, accepted);
    EXPECT_GE(accepted, 1000u);
  });
}

/// Part of a job: how many there are, and were at most.
class counted {
 public:
  struct tally {
    std::atomic<int> now{0}, most{0};
  };
  explicit counted(tally& t) : tally_(&t) { enter(); }
  counted(const counted& other) noexcept : tally_(other.tally_) { enter(); }
  counted(counted&& other) noexcept : tally_(std::exchange(other.tally_, nullptr)) {}
  counted& operator=(counted) = delete;
  ~counted() {
    if (tally_ != nullptr) --tally_->now;
  }

 private:
  void enter() noexcept {
    const int alive = ++tally_->now;
    for (int seen = tally_->most; seen < alive && !tally_->most.compare_exchange_weak(seen, alive);) {
    }
  }
  tally* tally_;
};

class PoolOverloadOnThreads : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(PoolOverloadOnThreads);

TEST_P(PoolOverloadOnThreads, TakesWhatItHasRoomForAndKeepsNothingElse) {
  run([] {
    constexpr std::size_t room = pool_workers + queue_capacity;
    constexpr std::size_t offerers = 4;
    worker_pool pool({.workers = pool_workers, .queue_capacity = queue_capacity});
    counted::tally alive;
    std::uint64_t offered = 0;
    std::uint64_t accepted = 0;
    for (const std::uint64_t times : loads) {
      spool::semaphore answers(0);
      std::atomic<std::uint64_t> taken{0}, refused{0};
      const auto offer = [&] {
        for (std::uint64_t i = 0; i < times * room / offerers; ++i) {
          const auto said = pool.try_post([&answers, part = counted(alive)] { answers.acquire(); });
          ++(said == channel_status::ok ? taken : refused);
        }
      };
      spool::wait_group fibers;
      for (std::size_t i = 0; i < offerers / 2; ++i) fibers.go(offer);
      std::vector<std::thread> threads;
      for (std::size_t i = 0; i < offerers / 2; ++i) threads.emplace_back(offer);
      spool::blocking([&] {
        for (std::thread& t : threads) t.join();
      });
      fibers.wait();
      EXPECT_EQ(taken, room) << times << " times";
      EXPECT_EQ(taken + refused, times * room);
      EXPECT_EQ(alive.now, static_cast<int>(room)) << "a refused job is kept";
      offered += times * room;
      accepted += taken;
      answers.release(static_cast<std::ptrdiff_t>(taken.load()));
      EXPECT_FALSE(pool.drain());
      EXPECT_EQ(alive.now, 0);
    }
    EXPECT_LE(alive.most, static_cast<int>(room + offerers));
    const spool::worker_pool_stats stats = pool.stats();
    EXPECT_EQ(stats.accepted, accepted);
    EXPECT_EQ(stats.accepted + stats.rejected, offered);
    EXPECT_EQ(stats.completed, stats.accepted);
  });
}

// A worker of the pool goes from job to job; the jobs of its turn are many milliseconds, if they compute.
TEST_P(PoolOverloadOnThreads, JobsThatComputeLeaveRoomForOtherFibers) {
  run([] {
    constexpr std::uint64_t jobs_per_worker = 200;
    worker_pool pool({.queue_capacity = 10'000});
    const std::uint64_t jobs = jobs_per_worker * pool.stats().workers;
    for (std::uint64_t i = 0; i < jobs; ++i) {
      const auto said = pool.try_post([] {
        const auto end = std::chrono::steady_clock::now() + 1ms;
        while (std::chrono::steady_clock::now() < end) {
        }
      });
      ASSERT_EQ(said, channel_status::ok);
    }
    spool::this_fiber::sleep_for(1ms);
    EXPECT_LT(pool.stats().completed, jobs / 2) << "of " << jobs << ", while a fiber slept for a millisecond";
    EXPECT_FALSE(pool.drain());
  });
}

}  // namespace
