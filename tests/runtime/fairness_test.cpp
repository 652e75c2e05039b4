// Fairness: fibers that compute, and fibers whose operations never have to wait, delay nobody else.
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace {

using namespace spool;
using namespace std::chrono_literals;

/// Fibers that keep their worker until told to stop, or until a test that fails must end.
class hogs {
 public:
  explicit hogs(int n) {
    for (int i = 0; i < n; ++i) {
      all_.go([this] {
        ++spinning_;
        const auto give_up = std::chrono::steady_clock::now() + 30s;
        while (!stop_.load(std::memory_order_relaxed)) {
          if (std::chrono::steady_clock::now() < give_up) continue;
          gave_up_ = true;
          break;
        }
      });
    }
    spool_test::wait_until([&] { return spinning_ == n; });
  }
  ~hogs() {
    EXPECT_FALSE(gave_up_) << "what the hogs waited for did not happen beside them";
    stop_ = true;
    all_.wait();
  }

 private:
  std::atomic<int> spinning_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> gave_up_{false};
  wait_group all_;
};

class Fairness : public testing::Test {
 protected:
  runtime rt_{{.threads = 4}};
};

TEST_F(Fairness, TimersFireWhileThreeOfFourWorkersCompute) {
  rt_.run([] {
    wait_group sleepers;
    for (int i = 0; i < 64; ++i) {
      sleepers.go([] {
        for (int k = 0; k < 5; ++k) this_fiber::sleep_for(1ms);
      });
    }
    this_fiber::sleep_for(1ms);  // their timers now stand on several workers
    const hogs busy(3);
    sleepers.wait();
  });
}

TEST_F(Fairness, TimersThatHogsArmedFireToo) {
  std::atomic<int> fired{0};
  rt_.run([&] {
    std::atomic<bool> stop{false};
    wait_group all;
    for (int i = 0; i < 3; ++i) {
      all.go([&] {
        const auto give_up = std::chrono::steady_clock::now() + 30s;
        for (int k = 0; k < 4; ++k) {
          const auto tick = after(1ms);  // armed on this worker, which will not look
          go([tick, &fired] { fired += tick.recv().has_value(); });
        }
        while (!stop && std::chrono::steady_clock::now() < give_up) {
        }
        EXPECT_TRUE(stop);
      });
    }
    spool_test::wait_until([&] {
      this_fiber::yield();
      return fired == 12;
    });
    stop = true;
    all.wait();
  });
}

TEST_F(Fairness, QueuesOfHogsAreTakenOver) {
  std::atomic<int> ran{0};
  rt_.run([&] {
    std::atomic<bool> stop{false};
    wait_group all;
    for (int i = 0; i < 3; ++i) {
      all.go([&] {
        for (int k = 0; k < 100; ++k) go([&ran] { ++ran; });  // into this worker's own queue
        const auto give_up = std::chrono::steady_clock::now() + 30s;
        while (!stop && std::chrono::steady_clock::now() < give_up) {
        }
        EXPECT_TRUE(stop);
      });
    }
    spool_test::wait_until([&] { return ran == 300; });
    stop = true;
    all.wait();
  });
}

TEST_F(Fairness, MessagesPassWhileThreeOfFourWorkersCompute) {
  rt_.run([] {
    const hogs busy(3);
    channel<int> ping, pong;
    wait_group echo;
    echo.go([&] {
      for (const int v : ping) EXPECT_TRUE(pong.send(v));
    });
    for (int i = 0; i < 2000; ++i) {
      EXPECT_TRUE(ping.send(i));
      EXPECT_EQ(pong.recv(), i);
    }
    ping.close();
    echo.wait();
  });
}

TEST_F(Fairness, WorkFromPlainThreadsIsTakenWhileThreeOfFourWorkersCompute) {
  rt_.run([this] {
    const hogs busy(3);
    channel<int> answers(100);
    blocking([&] {
      for (int i = 0; i < 100; ++i) rt_.go([answers] { EXPECT_TRUE(answers.send(1)); });
    });
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(answers.recv());
  });
}

TEST_F(Fairness, BlockingCallsReturnWhileThreeOfFourWorkersCompute) {
  rt_.run([] {
    const hogs busy(3);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(blocking([i] { return i; }), i);
  });
}

// One worker: who never waits must still give way.

template <class Operation>
void expect_to_give_way(Operation operation) {
  runtime rt({.threads = 1});
  bool set = false;
  bool gave_way = false;
  rt.run([&] {
    go([&] {
      const auto give_up = std::chrono::steady_clock::now() + 30s;
      while (!set && std::chrono::steady_clock::now() < give_up) operation();
      gave_way = set;
    });
    go([&] { set = true; });
  });
  EXPECT_TRUE(gave_way) << "the other fiber never ran";
}

TEST(FairnessOfOperationsThatNeverWait, TrySendAndTryRecv) {
  channel<int> ch(1);
  expect_to_give_way([&] {
    (void)ch.try_send(1);
    (void)ch.try_recv();
  });
}

TEST(FairnessOfOperationsThatNeverWait, SendAndRecvOfABufferedChannel) {
  channel<int> ch(1);
  expect_to_give_way([&] {
    (void)ch.send(1);
    (void)ch.recv();
  });
}

TEST(FairnessOfOperationsThatNeverWait, SelectWithOtherwise) {
  channel<int> ch;
  expect_to_give_way([&] { select(on_recv(ch), otherwise()); });
}

TEST(FairnessOfOperationsThatNeverWait, Mutex) {
  mutex mu;
  expect_to_give_way([&] { const std::lock_guard lock(mu); });
}

TEST(FairnessOfOperationsThatNeverWait, Semaphore) {
  semaphore units(1);
  expect_to_give_way([&] {
    units.acquire();
    units.release();
  });
}

TEST(FairnessOfOperationsThatNeverWait, Yield) {
  expect_to_give_way([] { this_fiber::yield(); });
}

TEST(FairnessOfOperationsThatNeverWait, TwoFibersThatKeepEachOtherBusyLeaveRoomForAThird) {
  runtime rt({.threads = 1});
  channel<int> ping, pong;
  bool set = false;
  rt.run([&] {
    go([&] {
      for (const int v : ping) EXPECT_TRUE(pong.send(v));
    });
    go([&] {
      const auto give_up = std::chrono::steady_clock::now() + 30s;
      bool started = false;
      while (!set && std::chrono::steady_clock::now() < give_up) {
        EXPECT_TRUE(ping.send(1));
        (void)pong.recv();
        if (!std::exchange(started, true)) go([&] { set = true; });
      }
      EXPECT_TRUE(set);
      ping.close();
    });
  });
}

TEST(FairnessOfOperationsThatNeverWait, YieldingFibersLeaveRoomForTimersAndOutsiders) {
  runtime rt({.threads = 1});
  std::atomic<bool> timer{false}, outsider{false};
  rt.run([&] {
    go([&] {
      this_fiber::sleep_for(1ms);
      timer = true;
    });
    std::thread other([&] { rt.go([&] { outsider = true; }); });
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    while (!(timer && outsider) && std::chrono::steady_clock::now() < give_up) this_fiber::yield();
    EXPECT_TRUE(timer);
    EXPECT_TRUE(outsider);
    other.join();
  });
}

// Who computes between its operations has many a millisecond of them in a turn, and must give way before it is over.

template <class Start>
void expect_to_give_way_while_computing(Start start_other) {
  constexpr int most = 400;  // fewer than a turn has
  runtime rt({.threads = 1});
  std::atomic<bool> set{false};
  int operations = 0;
  rt.run([&] {
    channel<int> ch(1);
    start_other(rt, set);
    for (; !set && operations < most; ++operations) {
      spool_test::compute_for(1ms);
      (void)ch.try_send(1);
    }
  });
  EXPECT_LT(operations, most) << "the other fiber ran at the end of the turn only";
}

TEST(FairnessOfComputing, AFiberInTheSameQueue) {
  expect_to_give_way_while_computing([](runtime&, std::atomic<bool>& set) { go([&set] { set = true; }); });
}

TEST(FairnessOfComputing, AFiberThatSleeps) {
  expect_to_give_way_while_computing([](runtime&, std::atomic<bool>& set) {
    go([&set] {
      this_fiber::sleep_for(5ms);
      set = true;
    });
    this_fiber::yield();  // it sleeps now
  });
}

TEST(FairnessOfComputing, AFiberFromOutside) {
  expect_to_give_way_while_computing([](runtime& rt, std::atomic<bool>& set) {
    std::thread([&] { rt.go([&set] { set = true; }); }).join();
  });
}

TEST(FairnessOfComputing, AFiberThatIsPinned) {
  std::thread waker;
  expect_to_give_way_while_computing([&](runtime&, std::atomic<bool>& set) {
    auto parked = std::make_shared<latch>(1);
    go([&set, parked] {
      const this_fiber::pin here;
      parked->wait();
      set = true;
    });
    this_fiber::yield();  // it waits now
    waker = std::thread([parked] { parked->count_down(); });
  });
  waker.join();
}

}  // namespace
