// shutdown_sequence: its steps, and real signals in this process.
#include "support/runtimes.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::channel;
using spool::channel_status;
using spool::context;
using spool::errc;
using spool::error;
using spool::shutdown_outcome;
using spool::shutdown_phase;
using spool::shutdown_sequence;
using spool::shutdown_step;
using spool::shutdown_summary;
using spool::worker_pool;

using handler_fn = void (*)(int);

handler_fn disposition(int signal) {
  struct sigaction current {};
  ::sigaction(signal, nullptr, &current);
  return current.sa_handler;
}

void raise_here(int signal) { ::kill(::getpid(), signal); }

/// What ran, in order.
class journal {
 public:
  void operator()(const std::string& entry) {
    const std::lock_guard lock(mu_);
    text_ += text_.empty() ? entry : " " + entry;
  }
  std::string text() const {
    const std::lock_guard lock(mu_);
    return text_;
  }

 private:
  mutable std::mutex mu_;
  std::string text_;
};

const shutdown_step& step(const shutdown_summary& summary, shutdown_phase phase, const std::string& name) {
  const auto found = std::find_if(summary.steps.begin(), summary.steps.end(), [&](const shutdown_step& s) {
    return s.phase == phase && s.name == name;
  });
  if (found == summary.steps.end()) throw std::out_of_range("no step " + name);
  return *found;
}

shutdown_outcome outcome(const shutdown_summary& summary, shutdown_phase phase, const std::string& name) {
  return step(summary, phase, name).outcome;
}

class ShutdownSequence : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ShutdownSequence);

TEST_P(ShutdownSequence, NoStepOutlivesTheSequence) {
  run([] {
    for (int round = 0; round < 200; ++round) {
      const auto held = std::make_shared<int>(round);
      {
        shutdown_sequence shutdown({.signals = {}});
        shutdown.on_stop("ran", [held] {});
        shutdown.on_cancel("did not run", [held] {});
        shutdown.request();
        EXPECT_TRUE(shutdown.wait().ok());
      }
      ASSERT_EQ(held.use_count(), 1) << round;
    }
  });
}

TEST_P(ShutdownSequence, StopsThenDrainsInTheOrderOfRegistration) {
  run([] {
    journal ran;
    shutdown_sequence shutdown({.signals = {SIGUSR1}});
    shutdown.on_drain("connections", [&] { ran("drain1"); });
    shutdown.on_stop("listener", [&] { ran("stop1"); });
    shutdown.on_cancel("connections", [&] { ran("cancel"); });
    shutdown.on_drain("database", [&] { ran("drain2"); });
    shutdown.on_stop("timer", [&] {
      spool::this_fiber::yield();
      ran("stop2");
    });
    raise_here(SIGUSR1);
    const shutdown_summary summary = shutdown.wait();
    EXPECT_EQ(ran.text(), "stop1 stop2 drain1 drain2");
    EXPECT_TRUE(summary.drained);
    EXPECT_TRUE(summary.ok());
    EXPECT_TRUE(summary.ended());
    EXPECT_FALSE(summary.forced);
    EXPECT_EQ(summary.cause.message(), "signal: user defined signal 1");
    EXPECT_EQ(outcome(summary, shutdown_phase::cancel, "connections"), shutdown_outcome::not_needed);
    ASSERT_EQ(summary.steps.size(), 5u);
    EXPECT_EQ(summary.steps.front().name, "listener");
    EXPECT_EQ(summary.steps.back().name, "connections");
  });
}

TEST_P(ShutdownSequence, BothContextsFollowThePhases) {
  run([] {
    shutdown_sequence shutdown({.signals = {SIGUSR1}});
    EXPECT_FALSE(shutdown.stopping().done());
    shutdown.on_stop("listener", [&] { EXPECT_TRUE(shutdown.stopping().done()); });
    shutdown.on_drain("work", [&] { EXPECT_FALSE(shutdown.ctx().done()); });
    raise_here(SIGUSR1);
    const shutdown_summary summary = shutdown.wait();
    EXPECT_EQ(shutdown.stopping().cause().message(), "signal: user defined signal 1");
    EXPECT_TRUE(shutdown.ctx().done());
    EXPECT_TRUE(summary.drained);
  });
}

TEST_P(ShutdownSequence, AFiberWaitsWhileTheWorkGoesOn) {
  run([] {
    shutdown_sequence shutdown({.signals = {}});
    spool::wait_group workers;
    std::atomic<int> turns{0};
    shutdown.on_drain("workers", [&](const context& deadline) { return workers.wait(deadline); });
    for (int i = 0; i < 4; ++i) {
      workers.go([&] {
        while (!shutdown.stopping().done()) {
          ++turns;
          spool::this_fiber::yield();
        }
      });
    }
    spool::go([&] {
      spool_test::wait_until([&] { return turns > 100; });
      shutdown.request(error(make_error_code(errc::closed), "enough"));
    });
    const shutdown_summary summary = shutdown.wait();
    EXPECT_TRUE(summary.ok());
    EXPECT_EQ(summary.cause, errc::closed);
    EXPECT_EQ(summary.cause.message(), "enough");
  });
}

TEST_P(ShutdownSequence, WorksFromAPlainThread) {
  spool::runtime rt(options());
  shutdown_sequence shutdown(rt, {.signals = {SIGUSR1}});
  worker_pool pool(rt, {.workers = 2});
  std::atomic<int> ran{0};
  shutdown.add("jobs", pool);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.post([&] { ++ran; }), channel_status::ok);
  raise_here(SIGUSR1);
  const shutdown_summary summary = shutdown.wait();
  EXPECT_TRUE(summary.ok());
  EXPECT_EQ(ran, 50);
  ASSERT_EQ(summary.pools.size(), 1u);
  EXPECT_EQ(summary.pools[0].accepted, 50u);
  EXPECT_EQ(summary.pools[0].completed, 50u);
  EXPECT_EQ(pool.post([] {}), channel_status::closed);
}

TEST_P(ShutdownSequence, BeginsWhenItsParentIsDone) {
  run([] {
    static const spool::context_key<int> key("answer");
    const spool::cancel_scope parent = spool::with_cancel(spool::with_value(context::background(), key, 42));
    shutdown_sequence shutdown(parent.ctx(), {.signals = {}});
    parent.cancel(errc::full);
    bool live = false;
    shutdown.on_drain("work", [&] { live = !shutdown.ctx().done(); });
    EXPECT_EQ(shutdown.wait().cause, errc::full);
    EXPECT_TRUE(live) << "the work is not cancelled by the parent";
    EXPECT_EQ(*shutdown.ctx().value(key), 42);
  });
}

TEST_P(ShutdownSequence, BeginsWhenItsRuntimeEnds) {
  std::optional<shutdown_summary> summary;
  {
    spool::runtime rt(options());
    rt.run([&] {
      spool::latch made(1);
      spool::go([&] {
        shutdown_sequence shutdown({.signals = {}});
        made.count_down();
        summary = shutdown.wait();
      });
      made.wait();
    });
  }
  ASSERT_TRUE(summary);
  EXPECT_TRUE(summary->ok());
}

/// Drain steps that the deadline met before they had begun are skipped, which on a busy machine any time may be too short for.
/// So `round` is played with twice the time until it says that they had begun.
template <class Round>
void with_time_to_begin(Round round) {
  for (auto drain_for = 2ms; !round(drain_for); drain_for *= 2) {
  }
}

TEST_P(ShutdownSequence, WhatDoesNotDrainInTimeIsCancelled) {
  run([] {
    with_time_to_begin([](std::chrono::milliseconds drain_for) {
      journal ran;
      shutdown_sequence shutdown({.drain_for = drain_for, .signals = {}});
      channel<int> never;
      shutdown.on_drain("quick", [&] { ran("quick"); });
      shutdown.on_cancel("quick", [&] { ran("no"); });
      shutdown.on_drain("stuck", [&](const context& deadline) -> error { return never.recv(deadline).error(); });
      shutdown.on_cancel("stuck", [&] { ran("cancel"); });
      shutdown.on_drain("after", [&] { ran("no"); });
      shutdown.on_cancel("alone", [&] { EXPECT_TRUE(shutdown.ctx().done()); });
      shutdown.request();
      const shutdown_summary summary = shutdown.wait();
      EXPECT_FALSE(summary.drained);
      if (outcome(summary, shutdown_phase::drain, "stuck") == shutdown_outcome::skipped) return false;
      EXPECT_EQ(ran.text(), "quick cancel");
      EXPECT_FALSE(summary.forced);
      EXPECT_FALSE(summary.ok());
      EXPECT_TRUE(summary.ended());
      EXPECT_EQ(outcome(summary, shutdown_phase::drain, "quick"), shutdown_outcome::done);
      EXPECT_EQ(outcome(summary, shutdown_phase::cancel, "quick"), shutdown_outcome::not_needed);
      EXPECT_EQ(outcome(summary, shutdown_phase::drain, "stuck"), shutdown_outcome::failed);
      EXPECT_EQ(step(summary, shutdown_phase::drain, "stuck").err, errc::deadline_exceeded);
      EXPECT_EQ(outcome(summary, shutdown_phase::cancel, "stuck"), shutdown_outcome::done);
      EXPECT_EQ(outcome(summary, shutdown_phase::drain, "after"), shutdown_outcome::skipped);
      EXPECT_EQ(outcome(summary, shutdown_phase::cancel, "alone"), shutdown_outcome::done);
      EXPECT_EQ(shutdown.ctx().cause(), errc::deadline_exceeded);
      return true;
    });
  });
}

TEST_P(ShutdownSequence, WorkThatHeedsItsContextEndsAfterTheDeadline) {
  run([] {
    with_time_to_begin([](std::chrono::milliseconds drain_for) {
      shutdown_sequence shutdown({.drain_for = drain_for, .signals = {}});
      spool::wait_group workers;
      for (int i = 0; i < 8; ++i) workers.go([&] { shutdown.ctx().wait(); });
      shutdown.on_drain("workers", [&] { workers.wait(); });  // ignores the deadline
      shutdown.request();
      const shutdown_summary summary = shutdown.wait();
      workers.wait();  // of a step that was skipped
      EXPECT_FALSE(summary.drained);
      EXPECT_TRUE(summary.ended());
      const shutdown_outcome how = outcome(summary, shutdown_phase::drain, "workers");
      if (how == shutdown_outcome::skipped) return false;
      EXPECT_EQ(how, shutdown_outcome::late);
      return true;
    });
  });
}

TEST_P(ShutdownSequence, AStepThatThrowsIsReportedAndStopsNothing) {
  run([] {
    journal ran;
    shutdown_sequence shutdown({.signals = {}});
    shutdown.on_stop("first", [] { throw std::runtime_error("no socket"); });
    shutdown.on_stop("second", [&] { ran("stop"); });
    shutdown.on_drain("first", []() -> error { return errc::closed; });
    shutdown.on_drain("second", [&] { ran("drain"); });
    shutdown.on_cancel("first", [&]() -> std::error_code {
      ran("cancel");
      throw 3;
    });
    shutdown.request();
    const shutdown_summary summary = shutdown.wait();
    EXPECT_EQ(ran.text(), "stop drain cancel");
    EXPECT_EQ(step(summary, shutdown_phase::stop, "first").err.message(), "no socket");
    EXPECT_EQ(outcome(summary, shutdown_phase::stop, "first"), shutdown_outcome::failed);
    EXPECT_EQ(step(summary, shutdown_phase::drain, "first").err, errc::closed);
    EXPECT_EQ(outcome(summary, shutdown_phase::drain, "second"), shutdown_outcome::done);
    EXPECT_EQ(outcome(summary, shutdown_phase::cancel, "first"), shutdown_outcome::failed);
    EXPECT_FALSE(summary.drained);
    EXPECT_EQ(shutdown.ctx().cause(), errc::canceled);
  });
}

TEST_P(ShutdownSequence, AFailedStopStepDoesNotKeepTheRestFromDraining) {
  run([] {
    shutdown_sequence shutdown({.signals = {}});
    shutdown.on_stop("listener", [] { throw std::runtime_error("x"); });
    shutdown.on_drain("work", [] {});
    shutdown.request();
    const shutdown_summary summary = shutdown.wait();
    EXPECT_TRUE(summary.drained);
    EXPECT_FALSE(summary.ok());
  });
}

TEST_P(ShutdownSequence, AStopStepThatHangsDoesNotKeepTheOthersOpen) {
  run([] {
    journal ran;
    channel<int> never;
    shutdown_sequence shutdown({.drain_for = 2ms, .signals = {}});
    shutdown.on_stop("hangs", [&](const context&) { (void)never.recv(); });
    shutdown.on_stop("listener", [&] { ran("stop"); });
    shutdown.on_drain("work", [&] { ran("no"); });
    shutdown.on_cancel("hangs", [&] { never.close(); });
    shutdown.request();
    const shutdown_summary summary = shutdown.wait();
    EXPECT_EQ(ran.text(), "stop");
    EXPECT_EQ(outcome(summary, shutdown_phase::stop, "hangs"), shutdown_outcome::late);
    EXPECT_EQ(outcome(summary, shutdown_phase::drain, "work"), shutdown_outcome::skipped);
    EXPECT_TRUE(summary.ended());
  });
}

TEST_P(ShutdownSequence, ASecondSignalForces) {
  run([] {
    shutdown_sequence shutdown({.drain_for = 1h, .signals = {SIGUSR1}, .ignore_repeats_for = 0ms});
    channel<int> draining(1), never;
    shutdown.on_drain("stuck", [&](const context& deadline) -> error {
      (void)draining.send(1);
      return never.recv(deadline).error();
    });
    shutdown.on_drain("after", [] { ADD_FAILURE() << "forced: not drained any more"; });
    raise_here(SIGUSR1);
    spool::go([&] {
      (void)draining.recv();
      raise_here(SIGUSR1);
    });
    const shutdown_summary summary = shutdown.wait();
    EXPECT_TRUE(summary.forced);
    EXPECT_FALSE(summary.drained);
    EXPECT_EQ(step(summary, shutdown_phase::drain, "stuck").err, errc::canceled);
    EXPECT_EQ(outcome(summary, shutdown_phase::drain, "after"), shutdown_outcome::skipped);
    EXPECT_EQ(shutdown.ctx().cause().message(), "signal: user defined signal 1");
  });
}

TEST_P(ShutdownSequence, AnEchoOfTheFirstSignalDoesNotForceButAnotherSignalDoes) {
  run([] {
    shutdown_sequence shutdown({.drain_for = 1h, .signals = {SIGUSR1, SIGUSR2}, .ignore_repeats_for = 24h});
    channel<int> draining(1), never;
    shutdown.on_drain("stuck", [&](const context& deadline) -> error {
      (void)draining.send(1);
      return never.recv(deadline).error();
    });
    raise_here(SIGUSR1);
    auto echoes = spool::async([&] {
      (void)draining.recv();
      // One thread tells all listeners of a signal, then of the next: after the second the first was heard by all.
      for (int i = 0; i < 2; ++i) {
        const spool::cancel_scope echo = spool::notify_context(context::background(), {SIGUSR1});
        raise_here(SIGUSR1);
        echo.ctx().wait();
      }
      EXPECT_FALSE(shutdown.ctx().done());
      raise_here(SIGUSR2);
    });
    const shutdown_summary summary = shutdown.wait();
    echoes.get();  // to ThreadSanitizer a signal orders nothing between who raises it and who handles it
    EXPECT_TRUE(summary.forced);
    EXPECT_EQ(shutdown.ctx().cause().message(), "signal: user defined signal 2");
  });
}

TEST_P(ShutdownSequence, AForceBeforeTheWaitStillStopsButDrainsNothing) {
  run([] {
    journal ran;
    shutdown_sequence shutdown({.drain_for = 1h, .signals = {}});
    shutdown.on_stop("listener", [&] { ran("stop"); });
    shutdown.on_drain("work", [&] { ran("drain"); });
    shutdown.on_cancel("work", [&] { ran("cancel"); });
    shutdown.force(error(make_error_code(errc::full), "out of memory"));
    const shutdown_summary summary = shutdown.wait();
    EXPECT_NE(ran.text().find("stop"), std::string::npos);
    EXPECT_NE(ran.text().find("cancel"), std::string::npos);
    EXPECT_EQ(ran.text().find("drain"), std::string::npos);
    EXPECT_TRUE(summary.forced);
    EXPECT_EQ(summary.cause.message(), "out of memory");
    EXPECT_EQ(shutdown.ctx().cause().message(), "out of memory");
  });
}

TEST_P(ShutdownSequence, AForceDuringTheCancelPhaseEndsTheWaitAndTheDestructorWaitsForTheStep) {
  run([] {
    channel<int> never;
    std::atomic<bool> ended{false};
    {
      shutdown_sequence shutdown({.drain_for = 0ms, .cancel_for = 1h, .signals = {}});
      shutdown.on_cancel("hangs", [&] {
        shutdown.force();
        (void)never.recv();
        spool::this_fiber::yield();
        ended = true;
      });
      shutdown.on_drain("skipped", [] {});
      shutdown.request();
      const shutdown_summary summary = shutdown.wait();
      EXPECT_TRUE(summary.forced);
      EXPECT_FALSE(summary.ended());
      EXPECT_EQ(outcome(summary, shutdown_phase::cancel, "hangs"), shutdown_outcome::running);
      EXPECT_EQ(outcome(summary, shutdown_phase::drain, "skipped"), shutdown_outcome::skipped);
      EXPECT_TRUE(never.close());
    }
    EXPECT_TRUE(ended);
  });
}

TEST_P(ShutdownSequence, EveryAcceptedJobOfAPoolIsInTheSummary) {
  for (int round = 0; round < 20; ++round) {
    spool::runtime rt(options());
    worker_pool pool(rt, {.workers = 3, .queue_capacity = 20, .on_error = [](error) {}});
    shutdown_sequence shutdown(rt, {.drain_for = std::chrono::milliseconds(round % 3), .signals = {SIGUSR1}});
    shutdown.add("jobs", pool);
    std::atomic<std::uint64_t> taken{0};
    std::thread outside([&] {
      for (int i = 0; pool.post([i] {
             if (i % 3 == 0) throw i;
           }) == channel_status::ok;
           ++i) {
        ++taken;
      }
    });
    rt.go([&, ctx = shutdown.ctx()] {
      while (pool.post(ctx, [](const context& job) { (void)spool::this_fiber::sleep_for(job, 1h); }) ==
             channel_status::ok) {
        ++taken;
        while (!ctx.done() && pool.stats().busy > 1) spool::this_fiber::yield();
        if (shutdown.stopping().done()) break;
      }
    });
    while (pool.stats().completed < 5) std::this_thread::yield();
    raise_here(SIGUSR1);
    const shutdown_summary summary = shutdown.wait();
    outside.join();
    ASSERT_EQ(summary.pools.size(), 1u);
    const spool::shutdown_pool& jobs = summary.pools[0];
    EXPECT_EQ(jobs.completed + jobs.failed + jobs.expired + jobs.abandoned, jobs.accepted) << to_string(summary);
    EXPECT_EQ(jobs.left, 0u);
    EXPECT_TRUE(summary.ended());
    rt.run([] {});  // the producer on a fiber has ended
    EXPECT_EQ(jobs.accepted, taken);
  }
}

TEST_P(ShutdownSequence, JobsThatIgnoreTheirCancellationAreCountedAsLeft) {
  run([] {
    channel<int> gate, started(1);
    worker_pool pool({.workers = 1});
    shutdown_sequence shutdown({.drain_for = 1ms, .cancel_for = 1ms, .signals = {}});
    shutdown.add("jobs", pool);
    EXPECT_EQ(pool.post([=] {
      (void)started.send(1);
      (void)gate.recv();
    }),
              channel_status::ok);
    (void)started.recv();
    EXPECT_EQ(pool.post([] {}), channel_status::ok);
    shutdown.request();
    const shutdown_summary summary = shutdown.wait();
    EXPECT_FALSE(summary.ended());
    EXPECT_EQ(summary.pools.at(0).accepted, 2u);
    EXPECT_EQ(summary.pools.at(0).abandoned + summary.pools.at(0).left, 2u) << to_string(summary);
    EXPECT_GE(summary.pools.at(0).left, 1u);
    EXPECT_TRUE(gate.close());
  });
}

TEST_P(ShutdownSequence, WhatIsDrainedFirstMayStillHandJobsToThePool) {
  run([] {
    worker_pool pool;
    shutdown_sequence shutdown({.signals = {}});
    shutdown.on_drain("connections", [&] { EXPECT_EQ(pool.submit([] { return 7; }).get(), 7); });
    shutdown.add("jobs", pool);
    shutdown.request();
    EXPECT_TRUE(shutdown.wait().ok());
    EXPECT_EQ(pool.stats().completed, 1u);
  });
}

TEST_P(ShutdownSequence, TheSummaryReadsAsText) {
  run([] {
    worker_pool pool;
    shutdown_sequence shutdown({.signals = {SIGUSR1}});
    shutdown.on_stop("listener", [] {});
    shutdown.on_drain("x", [] { throw std::runtime_error("disk full"); });
    shutdown.add("jobs", pool);
    raise_here(SIGUSR1);
    const std::string text = to_string(shutdown.wait());
    EXPECT_NE(text.find("shutdown (signal: user defined signal 1): not drained after "), text.npos) << text;
    EXPECT_NE(text.find("\n  stop   listener  done, "), text.npos) << text;
    EXPECT_NE(text.find(": disk full"), text.npos) << text;
    EXPECT_NE(text.find("\n  cancel jobs      not needed"), text.npos) << text;
    EXPECT_NE(text.find("jobs of jobs: 0 accepted = 0 completed"), text.npos) << text;
  });
}

TEST_P(ShutdownSequence, StepsMayBeMoveOnly) {
  run([] {
    shutdown_sequence shutdown({.signals = {}});
    int seen = 0;
    shutdown.on_drain("owner", [&seen, owned = std::make_unique<int>(4)] { seen = *owned; });
    shutdown.request();
    EXPECT_TRUE(shutdown.wait().ok());
    EXPECT_EQ(seen, 4);
  });
}

TEST_P(ShutdownSequence, WithoutAWaitNothingRunsAndTheSignalsAreGivenBack) {
  run([] {
    {
      shutdown_sequence shutdown({.signals = {SIGUSR1}});
      shutdown.on_stop("listener", [] { ADD_FAILURE(); });
      EXPECT_NE(disposition(SIGUSR1), SIG_DFL);
    }
    EXPECT_EQ(disposition(SIGUSR1), SIG_DFL);
  });
}

TEST_P(ShutdownSequence, MisuseIsRefused) {
  run([] {
    EXPECT_THROW(shutdown_sequence({.drain_for = -1ms}), std::invalid_argument);
    EXPECT_THROW(shutdown_sequence({.cancel_for = -1ms}), std::invalid_argument);
    EXPECT_THROW(shutdown_sequence({.signals = {SIGKILL}}), std::invalid_argument);
    EXPECT_THROW(shutdown_sequence({.signals = {SIGUSR1, 1000}}), std::invalid_argument);
    EXPECT_EQ(disposition(SIGUSR1), SIG_DFL);
    shutdown_sequence shutdown({.drain_for = std::chrono::milliseconds::max(), .signals = {}});
    shutdown.request();
    EXPECT_TRUE(shutdown.wait().ok());
    EXPECT_THROW((void)shutdown.wait(), std::logic_error);
    EXPECT_THROW(shutdown.on_stop("late", [] {}), std::logic_error);
    worker_pool pool;
    EXPECT_THROW(shutdown.add("late", pool), std::logic_error);
  });
}

TEST(ShutdownSequenceOnAPlainThread, NeedsARuntime) {
  EXPECT_THROW(shutdown_sequence({.signals = {}}), std::logic_error);
  EXPECT_THROW(shutdown_sequence(context::background(), {.signals = {}}), std::logic_error);
}

}  // namespace
