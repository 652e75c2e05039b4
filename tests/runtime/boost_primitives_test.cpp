// Boost.Fiber's own primitives on our fibers, which change their thread meanwhile.
#include "captured_log.hpp"
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <boost/fiber/all.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;
namespace bf = boost::fibers;
using trail = spool_test::migration_watch::trail;

void work() { spool_test::compute_for(10us); }

class BoostPrimitives : public spool_test::WithWorkers {
 protected:
  /// Runs `round(watch)` on the main fiber again and again until one of its fibers was seen on two threads.
  template <class Round>
  void run_until_migrated(Round round) {
    spool_test::migration_watch watch;
    const auto give_up = std::chrono::steady_clock::now() + 100s;
    run([&] {
      do {
        round(watch);
      } while (GetParam() > 1 && !watch.seen() && std::chrono::steady_clock::now() < give_up);
    });
    EXPECT_EQ(watch.seen(), GetParam() > 1) << "no fiber changed its thread, so nothing was shown";
  }
};
SPOOL_INSTANTIATE_WORKERS(BoostPrimitives);

TEST_P(BoostPrimitives, MutexExcludes) {
  run_until_migrated([](auto& watch) {
    bf::mutex mu;
    int counter = 0;  // guarded by mu
    wait_group all;
    for (int i = 0; i < 16; ++i) {
      all.go([&] {
        trail seen(watch);
        for (int k = 0; k < 50; ++k) {
          {
            const std::lock_guard lock(mu);
            const int before = counter;
            if (k % 8 == 0) boost::this_fiber::yield();
            counter = before + 1;
          }
          work();
          seen.look();
        }
      });
    }
    all.wait();
    EXPECT_EQ(counter, 16 * 50);
  });
}

TEST_P(BoostPrimitives, TimedMutexGivesUpInTime) {
  run([] {
    bf::timed_mutex mu;
    mu.lock();
    EXPECT_FALSE(async([&] { return mu.try_lock_for(2ms); }).get());
    mu.unlock();
    EXPECT_TRUE(async([&] {
                  const bool got = mu.try_lock_for(10s);
                  if (got) mu.unlock();
                  return got;
                }).get());
  });
}

TEST_P(BoostPrimitives, ConditionVariablePassesTurns) {
  run_until_migrated([](auto& watch) {
    bf::mutex mu;
    bf::condition_variable changed;
    int turn = 0;  // guarded by mu
    wait_group all;
    constexpr int players = 8, rounds = 20;
    for (int i = 0; i < players; ++i) {
      all.go([&, i] {
        trail seen(watch);
        for (int k = 0; k < rounds; ++k) {
          std::unique_lock lock(mu);
          changed.wait(lock, [&] { return turn % players == i; });
          ++turn;
          changed.notify_all();
          lock.unlock();
          work();
          seen.look();
        }
      });
    }
    all.wait();
    EXPECT_EQ(turn, players * rounds);
  });
}

TEST_P(BoostPrimitives, ConditionVariableTimesOut) {
  run([] {
    bf::mutex mu;
    bf::condition_variable never;
    std::unique_lock lock(mu);
    EXPECT_EQ(never.wait_for(lock, 2ms), bf::cv_status::timeout);
    EXPECT_TRUE(lock.owns_lock());
  });
}

TEST_P(BoostPrimitives, FutureGetsWhatThePromiseWasGiven) {
  run_until_migrated([](auto& watch) {
    wait_group all;
    for (int i = 0; i < 64; ++i) {
      all.go([&, i] {
        trail seen(watch);
        bf::promise<int> promise;
        bf::future<int> future = promise.get_future();
        go([promise = std::move(promise), i]() mutable {
          work();
          if (i % 5 == 0) {
            promise.set_exception(std::make_exception_ptr(std::runtime_error("five")));
          } else {
            promise.set_value(i);
          }
        });
        work();
        if (i % 5 == 0) {
          EXPECT_THROW(future.get(), std::runtime_error);
        } else {
          EXPECT_EQ(future.get(), i);
        }
        seen.look();
      });
    }
    all.wait();
  });
}

// A giver may be gone before the worker that it called has a CPU: nothing runs then, and yet nobody is stuck.
TEST_P(BoostPrimitives, PromiseIsKeptByAPlainThread) {
  const spool_test::captured_log log;
  run([] {
    for (int i = 0; i < 20; ++i) {
      bf::promise<int> promise;
      bf::future<int> future = promise.get_future();
      std::thread giver([&] { promise.set_value(i); });
      EXPECT_EQ(future.get(), i);
      giver.join();
    }
  });
  EXPECT_FALSE(log.has("proven")) << log.text();
}

/// Eight fibers push 1 … 100 each, eight others take all of it.
template <class Channel, class Watch>
void carry_everything(Channel& ch, Watch& watch) {
  std::atomic<long> sum{0};
  wait_group senders, receivers;
  for (int i = 0; i < 8; ++i) {
    receivers.go([&] {
      trail seen(watch);
      for (int v; ch.pop(v) == bf::channel_op_status::success;) {
        sum += v;
        work();
        seen.look();
      }
    });
    senders.go([&] {
      trail seen(watch);
      for (int v = 1; v <= 100; ++v) {
        EXPECT_EQ(ch.push(v), bf::channel_op_status::success);
        seen.look();
      }
    });
  }
  senders.wait();
  ch.close();
  receivers.wait();
  EXPECT_EQ(sum, 8 * 5050);
}

TEST_P(BoostPrimitives, BufferedChannelCarriesEverything) {
  run_until_migrated([](auto& watch) {
    bf::buffered_channel<int> ch(8);
    carry_everything(ch, watch);
  });
}

TEST_P(BoostPrimitives, UnbufferedChannelCarriesEverything) {
  run_until_migrated([](auto& watch) {
    bf::unbuffered_channel<int> ch;
    carry_everything(ch, watch);
  });
}

TEST_P(BoostPrimitives, BarrierHoldsUntilAllHaveCome) {
  run_until_migrated([](auto& watch) {
    constexpr std::size_t parties = 8;
    bf::barrier barrier(parties);
    std::atomic<int> arrived{0};
    wait_group all;
    for (std::size_t i = 0; i < parties; ++i) {
      all.go([&] {
        trail seen(watch);
        for (int round = 1; round <= 20; ++round) {
          work();
          ++arrived;
          barrier.wait();
          EXPECT_GE(arrived, round * static_cast<int>(parties));
          barrier.wait();
          seen.look();
        }
      });
    }
    all.wait();
  });
}

TEST_P(BoostPrimitives, SleepTakesAtLeastItsTime) {
  run_until_migrated([](auto& watch) {
    wait_group all;
    for (int i = 0; i < 32; ++i) {
      all.go([&, i] {
        trail seen(watch);
        for (int k = 0; k < 5; ++k) {
          const auto nap = std::chrono::microseconds(200 + i * 10);
          const auto begin = std::chrono::steady_clock::now();
          boost::this_fiber::sleep_for(nap);
          EXPECT_GE(std::chrono::steady_clock::now() - begin, nap);
          work();
          seen.look();
        }
      });
    }
    all.wait();
  });
}

TEST_P(BoostPrimitives, SpecificPointerBelongsToTheFiberAndIsClearedAfterEachTask) {
  struct counted {
    std::atomic<int>& alive;
    int number;
    counted(std::atomic<int>& a, int n) : alive(a), number(n) { ++alive; }
    ~counted() { --alive; }
  };
  std::atomic<int> alive{0};
  bf::fiber_specific_ptr<counted> own;
  run_until_migrated([&](auto& watch) {
    wait_group all;
    for (int i = 0; i < 200; ++i) {
      all.go([&, i] {
        trail seen(watch);
        EXPECT_EQ(own.get(), nullptr) << "left by an earlier task on the same stack";
        own.reset(new counted(alive, i));
        for (int k = 0; k < 5; ++k) {
          work();
          boost::this_fiber::yield();
          seen.look();
          ASSERT_NE(own.get(), nullptr);
          EXPECT_EQ(own->number, i);
        }
      });
    }
    all.wait();
    spool_test::wait_until([] { return fiber_count() == 1; });
    EXPECT_EQ(alive, 0);
  });
}

TEST_P(BoostPrimitives, BoostFibersStartedInsideOneOfOursAreJoined) {
  run_until_migrated([](auto& watch) {
    wait_group all;
    for (int i = 0; i < 8; ++i) {
      all.go([&] {
        trail seen(watch);
        int done = 0;
        bf::mutex mu;
        std::vector<bf::fiber> children;
        for (int k = 0; k < 4; ++k) {
          children.emplace_back([&] {
            trail child(watch);
            for (int n = 0; n < 10; ++n) {
              work();
              boost::this_fiber::yield();
              child.look();
            }
            const std::lock_guard lock(mu);
            ++done;
          });
        }
        for (auto& child : children) child.join();
        seen.look();
        EXPECT_EQ(done, 4);
      });
    }
    all.wait();
  });
}

TEST_P(BoostPrimitives, ABoostFiberUsesOurChannelsAndTimers) {
  run([] {
    channel<int> ch;
    bf::fiber child([&] {
      EXPECT_TRUE(this_fiber::id());
      this_fiber::sleep_for(1ms);
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(ch.send(i));
      ch.close();
    });
    int sum = 0;
    for (const int v : ch) sum += v;
    EXPECT_EQ(sum, 4950);
    child.join();
  });
}

// launch::dispatch goes to the new fiber at once and leaves the one that starts it ready.

TEST_P(BoostPrimitives, ADispatchedBoostFiberIsAFiberOfItsOwnAtOnce) {
  run([] {
    const fiber_id outer = this_fiber::id();
    this_fiber::set_name("outer");
    fiber_id inner;
    bf::fiber child(bf::launch::dispatch, [&] {
      inner = this_fiber::id();
      EXPECT_EQ(this_fiber::name(), "");
      this_fiber::set_name("inner");
      EXPECT_EQ(fiber_count(), 2u);
    });
    child.join();
    EXPECT_TRUE(inner);
    EXPECT_NE(inner, outer);
    EXPECT_EQ(this_fiber::id(), outer);
    EXPECT_EQ(this_fiber::name(), "outer");
  });
}

TEST_P(BoostPrimitives, ADispatchedBoostFiberWaitsAtOnceInOurChannels) {
  run_until_migrated([](auto& watch) {
    wait_group all;
    for (int i = 0; i < 8; ++i) {
      all.go([&] {
        trail seen(watch);
        channel<int> there, back;
        bf::fiber child(bf::launch::dispatch, [&] {
          EXPECT_TRUE(back.send(-1));  // before anybody receives
          for (const int v : there) EXPECT_TRUE(back.send(v));
          back.close();
        });
        EXPECT_EQ(back.recv(), -1);
        for (int v = 0; v < 50; ++v) {
          EXPECT_TRUE(there.send(v));
          EXPECT_EQ(back.recv(), v);
          work();
          seen.look();
        }
        there.close();
        EXPECT_FALSE(back.recv());
        child.join();
      });
    }
    all.wait();
  });
}

TEST_P(BoostPrimitives, ADispatchedBoostFiberYieldsSleepsAndLocksAtOnce) {
  run([] {
    wait_group all;
    for (int i = 0; i < 20; ++i) {
      all.go([] {
        mutex mu;
        std::unique_lock held(mu);
        int done = 0;  // guarded by mu
        bf::fiber locks(bf::launch::dispatch, [&] {
          const std::lock_guard lock(mu);
          ++done;
        });
        held.unlock();
        bf::fiber yields(bf::launch::dispatch, [&] {
          this_fiber::yield();
          const std::lock_guard lock(mu);
          ++done;
        });
        bf::fiber sleeps(bf::launch::dispatch, [&] {
          this_fiber::sleep_for(1ms);
          const std::lock_guard lock(mu);
          ++done;
        });
        locks.join();
        yields.join();
        sleeps.join();
        EXPECT_EQ(done, 3);
      });
    }
    all.wait();
  });
}

TEST_P(BoostPrimitives, DispatchedBoostFibersStartOthersAndEndWithoutAWait) {
  run_until_migrated([](auto& watch) {
    wait_group all;
    for (int i = 0; i < 16; ++i) {
      all.go([&] {
        trail seen(watch);
        int ended = 0;
        for (int k = 0; k < 10; ++k) {
          bf::fiber child(bf::launch::dispatch, [&] {
            bf::fiber grandchild(bf::launch::dispatch, [] { EXPECT_GE(fiber_count(), 4u); });
            grandchild.join();
            ++ended;
          });
          child.join();
          this_fiber::yield();
          seen.look();
        }
        EXPECT_EQ(ended, 10);
      });
    }
    all.wait();
    spool_test::wait_until([] { return fiber_count() == 1; });
  });
}

TEST_P(BoostPrimitives, ADispatchedBoostFiberHasNoExceptionOfItsStarter) {
  run([] {
    for (int i = 0; i < 20; ++i) {
      try {
        throw i;
      } catch (...) {
        bf::fiber child(bf::launch::dispatch, [] {
          EXPECT_EQ(std::current_exception(), nullptr);
          try {
            throw std::runtime_error("inner");
          } catch (...) {
            this_fiber::yield();
          }
        });
        child.join();
        try {
          throw;
        } catch (int caught) {
          EXPECT_EQ(caught, i);
        }
      }
    }
  });
}

TEST_P(BoostPrimitives, RunWaitsForDetachedBoostFibers) {
  std::atomic<bool> ended{false};
  run([&] {
    bf::fiber([&] {
      boost::this_fiber::sleep_for(5ms);
      ended = true;
    }).detach();
  });
  EXPECT_TRUE(ended);
}

TEST_P(BoostPrimitives, BoostAsyncReturnsItsValue) {
  run([] { EXPECT_EQ(bf::async([] { boost::this_fiber::yield(); return 9; }).get(), 9); });
}

}  // namespace
