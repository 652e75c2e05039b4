// What ends the process: an exception that leaves a fiber, a run that outlasts its stop_timeout.
#include "captured_log.hpp"

#include <support/runtimes.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class Termination : public spool_test::WithWorkers {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    spool_test::log_to_stderr();  // in the child too, which begins here
  }

  /// The place of the line `below` lines after the call.
  static std::string place(int below, int line = __builtin_LINE()) {
    return "escaping_exception_test.cpp:" + std::to_string(line + below);
  }
};
SPOOL_INSTANTIATE_WORKERS(Termination);

[[noreturn]] void fail_named(const char* name) {
  this_fiber::set_name(name);
  throw std::runtime_error("pan is hot");
}

TEST_P(Termination, AnExceptionThatLeavesAFiberIsNamedWithItsStart) {
  const auto scene = [&] {
    run([&] {
      go([] { fail_named("burner"); });
      context::background().wait();
    });
  };
  const std::string where = place(-4);
  EXPECT_DEATH(scene(), "an exception left fiber [0-9]+ \"burner\", started at .*" + where + ": pan is hot");
}

TEST_P(Termination, AnExceptionAfterAWaitIsNamedToo) {
  const auto scene = [&] {
    run([&] {
      go([] {
        this_fiber::sleep_for(1ms);
        fail_named("late");
      });
      context::background().wait();
    });
  };
  const std::string where = place(-7);
  EXPECT_DEATH(scene(), "an exception left fiber [0-9]+ \"late\", started at .*" + where + ": pan is hot");
}

TEST_P(Termination, AnExceptionOfAnyTypeEndsTheProcess) {
  EXPECT_DEATH(run([] {
                 go([] { throw 17; });
                 context::background().wait();
               }),
               "an exception left fiber [0-9]+ \"\", started at .*not a std::exception");
}

TEST_P(Termination, AnExceptionInWaitGroupGoEndsTheProcess) {
  const auto scene = [&] {
    run([] {
      wait_group all;
      all.go([] { fail_named("member"); });
      all.wait();
    });
  };
  const std::string where = place(-4);
  EXPECT_DEATH(scene(), "an exception left fiber [0-9]+ \"member\", started at .*" + where + ": pan is hot");
}

TEST_P(Termination, AnExceptionInAfterFuncEndsTheProcess) {
  EXPECT_DEATH(run([] {
                 const cancel_scope scope = with_cancel(context::background());
                 const auto stop = after_func(scope.ctx(), [] { fail_named("after"); });
                 scope.cancel();
                 context::background().wait();
               }),
               "an exception left fiber [0-9]+ \"after\", started at .*escaping_exception_test.cpp.*pan is hot");
}

TEST_P(Termination, EscapingExceptionsDieByTerminate) {
  EXPECT_EXIT(
      {
        std::set_terminate([] { std::_Exit(71); });
        run([] {
          go([] { throw 1; });
          context::background().wait();
        });
      },
      testing::ExitedWithCode(71), "");
}

TEST_P(Termination, StopTimeoutReportsAndTerminates) {
  const auto scene = [&] {
    runtime rt({.threads = GetParam(), .stop_timeout = 30ms});
    rt.run([] {
      go([] {
        this_fiber::set_name("laggard");
        this_fiber::sleep_for(1h);
      });
    });
  };
  const std::string where = place(-6);
  EXPECT_DEATH(scene(), "\"laggard\" started at .*" + where + " waits in sleep.*stop_timeout of 30 ms has passed");
}

TEST_P(Termination, StopTimeoutCatchesAFiberThatComputes) {
  EXPECT_DEATH(
      {
        runtime rt({.threads = GetParam(), .stop_timeout = 30ms});
        rt.run([] {
          go([] {
            for (std::atomic<int> i{0};; ++i) {
            }
          });
        });
      },
      "stop_timeout of 30 ms has passed");
}

TEST_P(Termination, StopTimeoutCatchesABlockingCall) {
  EXPECT_DEATH(
      {
        runtime rt({.threads = GetParam(), .stop_timeout = 30ms});
        rt.run([] { go([] { blocking([] { std::this_thread::sleep_for(1h); }); }); });
      },
      "waits in blocking.*stop_timeout of 30 ms has passed");
}

TEST_P(Termination, StopTimeoutDoesNotCountWhileTheFunctionRuns) {
  runtime rt({.threads = GetParam(), .stop_timeout = 2s});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(rt.run([] {
      go([] { this_fiber::sleep_for(10ms); });
      this_fiber::sleep_for(800ms);
      return 1;
    }),
              1);
  }
}

}  // namespace
