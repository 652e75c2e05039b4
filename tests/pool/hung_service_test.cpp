// shutdown_sequence in a service that hangs, whose parts ignore every deadline and cancellation: a child that signals force
// or kill.
#include "support/runtimes.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace std::chrono_literals;
using spool::channel;
using spool::shutdown_sequence;
using spool::shutdown_summary;

void raise_here(int signal) { ::kill(::getpid(), signal); }

class HungService : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(HungService, ASecondSignalForces) {
  EXPECT_EXIT(
      {
        spool::runtime rt({.threads = 2});
        rt.run([] {
          shutdown_sequence shutdown({.drain_for = 24h, .cancel_for = 1ms, .ignore_repeats_for = 0ms});
          channel<int> never;
          shutdown.on_drain("hangs", [&] {
            raise_here(SIGTERM);
            (void)never.recv();
          });
          raise_here(SIGTERM);
          const shutdown_summary summary = shutdown.wait();
          std::fprintf(stderr, "%s\n", to_string(summary).c_str());
          std::_Exit(summary.forced && !summary.ended() ? 7 : 1);
        });
      },
      testing::ExitedWithCode(7), "signal: terminated.*not drained, forced,(.|\n)*hangs  still running");
}

TEST_F(HungService, AThirdSignalKills) {
  EXPECT_EXIT(
      {
        spool::runtime rt({.threads = 2});
        rt.run([] {
          shutdown_sequence shutdown({.drain_for = 24h, .cancel_for = 24h, .ignore_repeats_for = 0ms});
          shutdown.on_drain("hangs", [&] {
            raise_here(SIGTERM);
            channel<int>().recv();
          });
          shutdown.on_cancel("hangs", [&] {
            raise_here(SIGTERM);
            channel<int>().recv();
          });
          raise_here(SIGTERM);
          (void)shutdown.wait();
        });
      },
      testing::KilledBySignal(SIGTERM), "");
}

TEST_F(HungService, ASignalAfterTheEndKills) {
  EXPECT_EXIT(
      {
        spool::runtime rt({.threads = 2});
        shutdown_sequence shutdown(rt, {.ignore_repeats_for = 0ms});
        raise_here(SIGINT);
        if (!shutdown.wait().ok()) std::_Exit(1);
        raise_here(SIGINT);
        for (;;) ::pause();  // what main does next hangs
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
