// What the end of run proves unable to wake, reports and abandons.
#include "captured_log.hpp"

#include <support/runtimes.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class Detector : public spool_test::WithWorkers {
 protected:
  /// Runs `f`, and says what was logged.
  template <class F>
  std::string log_of(F f, deadlock_policy policy = deadlock_policy::report) {
    const spool_test::captured_log log;
    {
      runtime rt({.threads = GetParam(), .on_deadlock = policy});
      rt.run(std::move(f));
    }
    return log.text();
  }

  /// Runs a fiber that calls `wait`, which must be reported as a leak with the word `site`, and abandoned.
  template <class F>
  void expect_leak(const std::string& site, F wait) {
    std::atomic<bool> resumed{false};
    const std::string log = log_of([&] {
      go([&] {
        this_fiber::set_name("stuck");
        wait();
        resumed = true;
      });
    });
    EXPECT_NE(log.find("leak (proven)"), std::string::npos) << log;
    EXPECT_NE(log.find("\"stuck\" started at"), std::string::npos) << log;
    EXPECT_NE(log.find("detector_test.cpp:"), std::string::npos) << log;
    EXPECT_NE(log.find(" waits in " + site), std::string::npos) << log;
    EXPECT_FALSE(resumed);
  }
};
SPOOL_INSTANTIATE_WORKERS(Detector);

TEST_P(Detector, ReceiveFromANilChannelIsALeak) {
  expect_leak("channel recv", [] { (void)channel<int>(nullptr).recv(); });
}

TEST_P(Detector, SendToANilChannelIsALeak) {
  expect_leak("channel send", [] { (void)channel<int>(nullptr).send(1); });
}

TEST_P(Detector, ReceiveFromAChannelThatNobodyHasIsALeak) {
  channel<int> ch;
  expect_leak("channel recv", [&] { (void)ch.recv(); });
}

TEST_P(Detector, SendThatNobodyReceivesIsALeak) {
  channel<int> ch;
  expect_leak("channel send", [&] { (void)ch.send(1); });
}

TEST_P(Detector, SendToAFullChannelIsALeak) {
  channel<int> ch(1);
  EXPECT_TRUE(ch.send(0));
  expect_leak("channel send", [&] { (void)ch.send(1); });
  EXPECT_EQ(ch.recv(), 0);
  EXPECT_EQ(ch.size(), 0u) << "the value of an abandoned sender must not arrive";
}

TEST_P(Detector, WaitOnTheBackgroundContextIsALeak) {
  expect_leak("", [] { context::background().wait(); });
}

TEST_P(Detector, WaitOnAContextThatNobodyCancelsIsALeak) {
  const cancel_scope scope = with_cancel(context::background());
  expect_leak("", [&] { scope.ctx().wait(); });
}

TEST_P(Detector, EmptySelectIsALeak) {
  expect_leak("select", [] { select(); });
}

TEST_P(Detector, SelectOverDeadChannelsIsALeak) {
  channel<int> a, b;
  int value = 1;
  expect_leak("select", [&] { select(on_recv(a), on_send(b, value)); });
  EXPECT_EQ(a.try_send(1), channel_status::full);
  EXPECT_EQ(b.try_recv().error(), errc::empty);
}

TEST_P(Detector, WaitGroupThatNobodyFinishesIsALeak) {
  wait_group group;
  group.add();
  expect_leak("wait_group", [&] { group.wait(); });
  group.done();
}

TEST_P(Detector, MutexOfAFiberThatEndedIsALeak) {
  mutex mu;
  expect_leak("mutex", [&] {
    async([&] { mu.lock(); }).get();
    mu.lock();
  });
}

TEST_P(Detector, SemaphoreWithoutUnitsIsALeak) {
  semaphore units(0);
  expect_leak("semaphore", [&] { units.acquire(); });
  units.release();
  EXPECT_TRUE(units.try_acquire()) << "an abandoned waiter must not take the unit";
}

TEST_P(Detector, LatchThatNobodyCountsDownIsALeak) {
  latch gate(1);
  expect_leak("latch", [&] { gate.wait(); });
}

TEST_P(Detector, ConditionThatNobodyNotifiesIsALeak) {
  mutex mu;
  condition_variable never;
  expect_leak("condition_variable", [&] {
    std::unique_lock lock(mu);
    never.wait(lock);
  });
}

TEST_P(Detector, RingOfFibersIsALeak) {
  const std::string log = log_of([] {
    std::vector<channel<int>> ring(3);
    for (std::size_t i = 0; i < 3; ++i) {
      go([from = ring[i], to = ring[(i + 1) % 3]] {
        (void)from.recv();
        (void)to.send(1);
      });
    }
  });
  EXPECT_NE(log.find("without these 3 fibers"), std::string::npos) << log;
}

TEST_P(Detector, TwoFibersThatHoldWhatTheOtherWantsAreALeak) {
  mutex a, b;
  latch both(2);
  const std::string log = log_of([&] {
    go([&] {
      a.lock();
      both.arrive_and_wait();
      b.lock();
    });
    go([&] {
      b.lock();
      both.arrive_and_wait();
      a.lock();
    });
  });
  EXPECT_NE(log.find("without these 2 fibers"), std::string::npos) << log;
}

TEST_P(Detector, AbandonedReceiverIsNoReceiver) {
  channel<int> ch;
  log_of([&] { go([&] { (void)ch.recv(); }); });
  EXPECT_EQ(ch.try_send(1), channel_status::full);
  EXPECT_EQ(run([&] { return ch.try_send(1); }), channel_status::full);
}

TEST_P(Detector, ManyLeaksAreAbandonedAtOnce) {
  channel<int> ch;
  const std::string log = log_of([&] {
    for (int i = 0; i < 500; ++i) go([&] { (void)ch.recv(); });
  });
  EXPECT_NE(log.find("without these 500 fibers"), std::string::npos) << log.substr(0, 300);
  EXPECT_EQ(ch.try_send(1), channel_status::full);
}

TEST_P(Detector, AbandonedFiberIsNeverUnwound) {
  static std::atomic<int> destroyed;
  destroyed = 0;
  struct noisy {
    ~noisy() { ++destroyed; }
  };
  log_of([] {
    go([] {
      const noisy local;
      context::background().wait();
    });
  });
  EXPECT_EQ(destroyed, 0);
}

TEST_P(Detector, RuntimeWorksOnAfterALeak) {
  const spool_test::captured_log log;
  runtime rt(options());
  for (int i = 0; i < 3; ++i) {
    rt.run([] { go([] { context::background().wait(); }); });
    EXPECT_EQ(rt.run([] { return async([] { return fiber_count(); }).get(); }), 2u);
  }
}

TEST_P(Detector, FibersThatCanGoOnDoSoFirst) {
  std::atomic<int> ended{0};
  channel<int> never;
  log_of([&] {
    go([&] { (void)never.recv(); });
    for (int i = 0; i < 20; ++i) {
      go([&] {
        this_fiber::sleep_for(30ms);
        ++ended;
      });
    }
  });
  EXPECT_EQ(ended, 20);
}

TEST_P(Detector, ALeakBesideARuntimeThatRestsIsProven) {
  runtime other(options());
  const std::string log = log_of([] { go([] { context::background().wait(); }); });
  EXPECT_NE(log.find("leak (proven)"), std::string::npos) << log;
}

// Deadlock while the function of run has not returned: reported or fatal, as on_deadlock says, and never ended.

/// Calls back when spool logs a line that holds `part`. No thread watches: a thread unknown to spool forbids every proof.
class on_report : public spdlog::sinks::base_sink<std::mutex> {
 public:
  on_report(std::string part, std::function<void()> f) : part_(std::move(part)), f_(std::move(f)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (std::string_view(message.payload.data(), message.payload.size()).find(part_) != std::string_view::npos) f_();
  }
  void flush_() override {}
  std::string part_;
  std::function<void()> f_;
};

TEST_P(Detector, ADeadlockIsReportedAndLeftAlone) {
  channel<int> ch;
  int reports = 0;
  const spool_test::captured_log log;
  spdlog::default_logger()->sinks().push_back(std::make_shared<on_report>("deadlock (proven)", [&] {
    ++reports;
    ch.close();  // the sink's owner is not bound by the proof
  }));
  runtime rt(options());
  EXPECT_EQ(rt.run([&] { return ch.recv(); }), std::nullopt);
  EXPECT_EQ(reports, 1);
  EXPECT_TRUE(log.has("waits in channel recv")) << log.text();
}

TEST_P(Detector, PolicyOffReportsNoDeadlock) {
  channel<int> ch;
  const std::string log = log_of(
      [&] {
        std::thread([ch] {
          std::this_thread::sleep_for(50ms);
          ch.close();
        }).detach();
        (void)ch.recv();
      },
      deadlock_policy::off);
  EXPECT_EQ(log, "");
}

TEST_P(Detector, PolicyAbortEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        spool_test::log_to_stderr();
        runtime rt({.threads = GetParam(), .on_deadlock = deadlock_policy::abort});
        rt.run([] {
          this_fiber::set_name("sleeper");
          (void)channel<int>().recv();
        });
      },
      testing::KilledBySignal(SIGABRT), "deadlock \\(proven\\).*\"sleeper\" started at .*detector_test.cpp:[0-9]+ waits in channel recv");
}

}  // namespace
