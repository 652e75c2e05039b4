// What a report says of each fiber: since when it waits, who holds what it waits for; and rings of locks, which are found
// while the rest runs on.
#include "captured_log.hpp"
#include "reported_fibers.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class Report : public spool_test::ReportedFibers {};
SPOOL_INSTANTIATE_WORKERS(Report);

/// Of locks held in a ring. The monitor looks at all waits twice a second, however many workers there are: one and several do.
class RingReport : public Report {};
INSTANTIATE_TEST_SUITE_P(Workers, RingReport, testing::Values(1, 4),
                         [](const auto& workers) { return std::to_string(workers.param); });

TEST_P(Report, ListsWhatRunsAndWhatWaits) {
  run([] {
    this_fiber::set_name("main");
    channel<int> ch;
    go([ch] {
      this_fiber::set_name("receiver");
      (void)ch.recv();
    });
    const detail::fiber_info receiver = waiting("receiver");
    EXPECT_STREQ(receiver.waits_in, "channel recv");
    EXPECT_NE(receiver.object, nullptr);
    EXPECT_FALSE(receiver.for_ever);
    EXPECT_EQ(named("main")->waits_in, nullptr);
    EXPECT_EQ(fibers().size(), 2u);
    ch.close();
  });
}

TEST_P(Report, SaysHowLongAFiberHasWaited) {
  run([] {
    channel<int> ch;
    const auto began = std::chrono::steady_clock::now();
    go([ch] {
      this_fiber::set_name("receiver");
      (void)ch.recv();
    });
    (void)waiting("receiver");
    this_fiber::sleep_for(300ms);
    const detail::fiber_info receiver = waiting("receiver");
    const auto at_most = std::chrono::steady_clock::now() - began + 1s;  // which lags by more when others have the CPU
    EXPECT_GE(receiver.waits_for, 250ms);  // 300 ms, less what the clock may lag behind
    EXPECT_LE(receiver.waits_for, at_most);
    EXPECT_NE(to_string(receiver).find(" for 0."), std::string::npos) << to_string(receiver);
    ch.close();
  });
}

// The clock that stamps waits stands still while nothing runs.
TEST_P(Report, AWaitThatBeginsAfterALongRestIsNotOld) {
  run([] {
    this_fiber::sleep_for(600ms);
    channel<int> ch;
    go([ch] {
      this_fiber::set_name("receiver");
      (void)ch.recv();
    });
    EXPECT_LE(waiting("receiver").waits_for, 400ms);
    ch.close();
  });
}

TEST_P(Report, NamesWhoLockedTheMutex) {
  run([] {
    mutex mu;
    latch locked(1), done(1);
    wait_group all;
    all.go([&] {
      this_fiber::set_name("holder");
      const std::lock_guard lock(mu);
      locked.count_down();
      done.wait();
    });
    locked.wait();
    all.go([&] {
      this_fiber::set_name("other");
      const std::lock_guard lock(mu);
    });
    const detail::fiber_info other = waiting("other");
    EXPECT_STREQ(other.waits_in, "mutex");
    EXPECT_NE(other.holder.find("\"holder\""), std::string::npos) << other.holder;
    done.count_down();
    all.wait();
  });
}

TEST_P(Report, NamesTheHolderThatTookTheMutexWithATimeLimitOrAContext) {
  run([] {
    mutex mu;
    for (const bool timed : {true, false}) {
      latch locked(1), done(1);
      wait_group all;
      all.go([&] {
        this_fiber::set_name("holder");
        if (timed) {
          EXPECT_TRUE(mu.try_lock_for(1s));
        } else {
          EXPECT_FALSE(mu.lock(context::background()));
        }
        locked.count_down();
        done.wait();
        mu.unlock();
      });
      locked.wait();
      all.go([&] {
        this_fiber::set_name("other");
        const std::lock_guard lock(mu);
      });
      EXPECT_NE(waiting("other").holder.find("\"holder\""), std::string::npos);
      done.count_down();
      all.wait();
    }
  });
}

TEST_P(Report, AMutexOfAPlainThreadHasNoFiberForAHolder) {
  mutex mu;
  mu.lock();
  runtime rt(options());
  rt.run([&] {
    go([&] {
      this_fiber::set_name("waiter");
      const std::lock_guard lock(mu);
    });
    EXPECT_NE(waiting("waiter").holder.find("plain thread"), std::string::npos);
    mu.unlock();
  });
}

/// Two fibers that lock `a` and `b` in opposite orders. They go on when somebody else unlocks `a`.
void start_ring(mutex& a, mutex& b) {
  auto both = std::make_shared<latch>(2);
  go([&, both] {
    this_fiber::set_name("first");
    a.lock();
    both->arrive_and_wait();
    b.lock();
    b.unlock();
  });
  go([&, both] {
    this_fiber::set_name("second");
    b.lock();
    both->arrive_and_wait();
    a.lock();
    a.unlock();
    b.unlock();
  });
}

/// Until `log` has `part`; at most half a minute.
void wait_for(const spool_test::captured_log& log, const std::string& part) {
  const auto give_up = std::chrono::steady_clock::now() + 30s;
  while (!log.has(part) && std::chrono::steady_clock::now() < give_up) this_fiber::sleep_for(10ms);
}

TEST_P(RingReport, ARingOfMutexesIsFoundWhileTheRestRuns) {
  const spool_test::captured_log log;
  mutex a, b;
  run([&] {
    start_ring(a, b);
    wait_for(log, "deadlock (suspected)");
    // A mutex belongs to no fiber, which is why this was a suspicion.
    a.unlock();
    this_fiber::sleep_for(1ms);
  });
  const std::string text = log.text();
  EXPECT_NE(text.find("these 2 fibers wait in a ring"), std::string::npos) << text;
  EXPECT_NE(text.find("\"first\" started at"), std::string::npos) << text;
  EXPECT_NE(text.find("\"second\" started at"), std::string::npos) << text;
  EXPECT_NE(text.find("locked by fiber"), std::string::npos) << text;
}

// One waits for the mutex, the other, to read or to write, for the shared_mutex that the first holds as a writer.
void start_mixed_ring(mutex& m, shared_mutex& s, void (*lock)(shared_mutex&), void (*unlock)(shared_mutex&)) {
  auto both = std::make_shared<latch>(2);
  go([&, both, lock, unlock] {
    this_fiber::set_name("has the mutex");
    m.lock();
    both->arrive_and_wait();
    lock(s);
    unlock(s);
  });
  go([&, both] {
    this_fiber::set_name("writes");
    s.lock();
    both->arrive_and_wait();
    m.lock();
    m.unlock();
    s.unlock();
  });
}

TEST_P(RingReport, ARingThroughASharedMutexThatAWriterHoldsIsFound) {
  for (const bool shared : {false, true}) {
    const spool_test::captured_log log;
    mutex m;
    shared_mutex s;
    run([&] {
      if (shared) {
        start_mixed_ring(
            m, s, [](shared_mutex& rw) { rw.lock_shared(); }, [](shared_mutex& rw) { rw.unlock_shared(); });
      } else {
        start_mixed_ring(
            m, s, [](shared_mutex& rw) { rw.lock(); }, [](shared_mutex& rw) { rw.unlock(); });
      }
      wait_for(log, "deadlock (suspected)");
      m.unlock();
    });
    const std::string text = log.text();
    EXPECT_NE(text.find("these 2 fibers wait in a ring"), std::string::npos) << text;
    EXPECT_TRUE(log.has(shared ? "waits in shared_mutex (shared)" : "waits in shared_mutex (0x")) << text;
    EXPECT_TRUE(log.has("\"has the mutex\" started at") && log.has("\"writes\" started at")) << text;
    EXPECT_FALSE(log.has("(proven)")) << text;
  }
}

TEST_P(RingReport, ARingOfSharedMutexesThatWritersHoldIsFound) {
  const spool_test::captured_log log;
  shared_mutex a, b;
  run([&] {
    auto both = std::make_shared<latch>(2);
    for (const bool first : {true, false}) {
      go([&, both, first] {
        shared_mutex& mine = first ? a : b;
        shared_mutex& other = first ? b : a;
        mine.lock();
        both->arrive_and_wait();
        const std::shared_lock lock(other);
        if (!first) mine.unlock();
      });
    }
    wait_for(log, "deadlock (suspected)");
    a.unlock();
  });
  EXPECT_TRUE(log.has("these 2 fibers wait in a ring")) << log.text();
}

// Were its writers noted as a mutex notes its owners, the last of them would seem to be in a ring.
TEST_P(RingReport, AWriterThatHasUnlockedIsInNoRing) {
  const spool_test::captured_log log;
  mutex m;
  shared_mutex s;
  run([&] {
    latch reads(1), has_written(1), locked(1);
    wait_group all;
    all.go([&] {
      this_fiber::set_name("wrote, now waits for the mutex");
      s.lock();
      s.unlock();
      has_written.count_down();
      locked.wait();
      const std::lock_guard lock(m);
    });
    has_written.wait();
    all.go([&] {
      this_fiber::set_name("reads for long");
      const std::shared_lock lock(s);
      reads.count_down();
      this_fiber::sleep_for(2500ms);
    });
    reads.wait();
    all.go([&] {
      this_fiber::set_name("has the mutex, would write");
      const std::lock_guard lock(m);
      locked.count_down();
      const std::lock_guard write(s);
    });
    all.wait();
  });
  EXPECT_EQ(log.text(), "");
}

TEST_P(RingReport, AFiberThatLocksTwiceIsARingOfOne) {
  const spool_test::captured_log log;
  mutex mu;
  run([&] {
    go([&] {
      this_fiber::set_name("twice");
      mu.lock();
      mu.lock();
      mu.unlock();
    });
    wait_for(log, "deadlock (suspected)");
    mu.unlock();
  });
  EXPECT_TRUE(log.has("these 1 fibers wait in a ring")) << log.text();
  EXPECT_TRUE(log.has("locked by itself")) << log.text();
}

TEST_P(RingReport, ARingIsToldOnceAndThoseBehindItToo) {
  const spool_test::captured_log log;
  mutex a, b;
  run([&] {
    start_ring(a, b);
    go([&] {
      this_fiber::set_name("behind");
      this_fiber::sleep_for(100ms);
      const std::lock_guard lock(a);
    });
    wait_for(log, "deadlock (suspected)");
    this_fiber::sleep_for(1500ms);
    a.unlock();
  });
  const std::string text = log.text();
  EXPECT_NE(text.find("\"behind\""), std::string::npos) << text;
  EXPECT_EQ(text.find("deadlock (suspected)"), text.rfind("deadlock (suspected)")) << text;
}

void ignore(int) {}

// Go's detector is blind as soon as a signal has a handler; here a proof is out of reach, a ring is not.
TEST_P(RingReport, ARingIsFoundThoughASignalHasAHandlerAndAThreadIsAbout) {
  const spool_test::captured_log log;
  struct sigaction ours {
  }, before{};
  ours.sa_handler = &ignore;
  ::sigaction(SIGUSR1, &ours, &before);
  std::atomic<bool> end{false};
  std::thread foreign([&] {
    while (!end) std::this_thread::sleep_for(5ms);
  });
  mutex a, b;
  runtime rt(options());
  std::thread helper;
  rt.run([&] {
    start_ring(a, b);
    // Nothing runs from here on but this thread, which spool does not know.
    helper = std::thread([&] {
      const auto give_up = std::chrono::steady_clock::now() + 30s;
      while (!log.has("deadlock (suspected)") && std::chrono::steady_clock::now() < give_up)
        std::this_thread::sleep_for(10ms);
      a.unlock();
    });
  });
  helper.join();
  end = true;
  foreign.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(log.has("deadlock (suspected)")) << log.text();
  EXPECT_FALSE(log.has("(proven)")) << log.text();
}

TEST_P(RingReport, PolicyOffLooksForNoRings) {
  const spool_test::captured_log log;
  mutex mu;
  runtime rt({.threads = GetParam(), .on_deadlock = deadlock_policy::off});
  rt.run([&] {
    go([&] {
      mu.lock();
      mu.lock();
      mu.unlock();
    });
    this_fiber::sleep_for(2500ms);
    mu.unlock();
  });
  EXPECT_EQ(log.text(), "");
}

// Long waits for a mutex that is held for long, but not in a ring.
TEST_P(RingReport, AMutexThatIsHeldForLongIsNoRing) {
  const spool_test::captured_log log;
  mutex a, b;
  run([&] {
    latch locked(1);
    go([&] {
      const std::scoped_lock both(a, b);
      locked.count_down();
      this_fiber::sleep_for(2500ms);
    });
    locked.wait();
    go([&] { const std::scoped_lock both(a, b); });
    go([&] { const std::scoped_lock both(b, a); });
  });
  EXPECT_EQ(log.text(), "");
}

// What nobody can ever wake is given up at the end of run, though a thread forbids every proof about the process.
TEST_P(Report, AFiberThatWaitsForEverIsAbandonedWhateverElseGoesOn) {
  const spool_test::captured_log log;
  std::atomic<bool> end{false};
  std::thread foreign([&] {
    while (!end) std::this_thread::sleep_for(5ms);
  });
  run([] {
    go([] { (void)channel<int>(nullptr).recv(); });
    go([] { (void)channel<int>(nullptr).send(1); });
    go([] { select(); });
    go([] {
      const channel<int> nil(nullptr);
      select(on_recv(nil));
    });
    go([] { context::background().wait(); });
  });
  end = true;
  foreign.join();
  EXPECT_TRUE(log.has("leak (proven)")) << log.text();
  EXPECT_TRUE(log.has("on nothing that could end it")) << log.text();
}

}  // namespace
