// notify_context: signals that cancel. Each test raises real signals in this process, or in a child that dies of them.
#include <support/runtimes.hpp>

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

using handler_fn = void (*)(int);

handler_fn disposition(int signal) {
  struct sigaction current {};
  ::sigaction(signal, nullptr, &current);
  return current.sa_handler;
}

bool thread_exists(const std::string& name) {
  DIR* tasks = ::opendir("/proc/self/task");
  bool found = false;
  while (const dirent* entry = ::readdir(tasks)) {
    const std::string path = std::string("/proc/self/task/") + entry->d_name + "/comm";
    char text[32] = {};
    if (FILE* f = std::fopen(path.c_str(), "r")) {
      if (std::fgets(text, sizeof text, f) != nullptr) found = found || text == name + "\n";
      std::fclose(f);
    }
  }
  ::closedir(tasks);
  return found;
}

TEST(NotifyContext, IsDoneWhenTheSignalComes) {
  const cancel_scope scope = notify_context(context::background(), {SIGUSR1});
  EXPECT_FALSE(scope.ctx().done());
  ::kill(::getpid(), SIGUSR1);
  scope.ctx().wait();
  EXPECT_EQ(scope.ctx().err(), errc::canceled);
}

TEST(NotifyContext, CauseNamesTheSignal) {
  for (const auto& [signal, message] :
       {std::pair{SIGINT, "signal: interrupt"}, {SIGTERM, "signal: terminated"}, {SIGHUP, "signal: hangup"}}) {
    const cancel_scope scope = notify_context(context::background(), {SIGINT, SIGTERM, SIGHUP});
    ::kill(::getpid(), signal);
    scope.ctx().wait();
    EXPECT_EQ(scope.ctx().cause().message(), message);
    EXPECT_EQ(scope.ctx().cause(), errc::canceled);
  }
}

TEST(NotifyContext, Decomposes) {
  auto [ctx, stop] = notify_context(context::background(), {SIGUSR1});
  const handler_fn ours = disposition(SIGUSR1);
  EXPECT_NE(ours, SIG_DFL);
  stop();
  EXPECT_EQ(ctx.err(), errc::canceled);
  EXPECT_EQ(disposition(SIGUSR1), SIG_DFL);
}

TEST(NotifyContext, EveryContextOfASignalGetsIt) {
  std::vector<cancel_scope> scopes;
  for (int i = 0; i < 5; ++i) scopes.push_back(notify_context(context::background(), {SIGUSR1, SIGUSR2}));
  const cancel_scope other = notify_context(context::background(), {SIGUSR2});
  ::kill(::getpid(), SIGUSR1);
  for (const auto& scope : scopes) scope.ctx().wait();
  EXPECT_FALSE(other.ctx().done());
}

TEST(NotifyContext, ReachesDescendants) {
  const cancel_scope scope = notify_context(context::background(), {SIGUSR1});
  const cancel_scope child = with_timeout(scope.ctx(), 1h);
  ::kill(::getpid(), SIGUSR1);
  child.ctx().wait();
  EXPECT_EQ(child.ctx().cause().message(), "signal: user defined signal 1");
}

TEST(NotifyContext, FollowsItsParent) {
  const cancel_scope parent = with_cancel(context::background());
  const cancel_scope scope = notify_context(parent.ctx(), {SIGUSR1});
  parent.cancel(errc::closed);
  EXPECT_EQ(scope.ctx().cause(), errc::closed);
}

TEST(NotifyContext, DefaultHandlingIsBackAfterTheScope) {
  {
    const cancel_scope scope = notify_context(context::background(), {SIGUSR1});
    EXPECT_NE(disposition(SIGUSR1), SIG_DFL);
  }
  EXPECT_EQ(disposition(SIGUSR1), SIG_DFL);
}

TEST(NotifyContext, HandlingStaysWhileAnotherContextWatches) {
  std::optional<cancel_scope> one = notify_context(context::background(), {SIGUSR1});
  const cancel_scope two = notify_context(context::background(), {SIGUSR1});
  one.reset();
  ::kill(::getpid(), SIGUSR1);  // would kill us
  two.ctx().wait();
  EXPECT_TRUE(two.ctx().done());
}

void former_handler(int) {}

TEST(NotifyContext, FormerHandlersAreBackAfterTheScope) {
  std::signal(SIGUSR1, &former_handler);
  { const cancel_scope scope = notify_context(context::background(), {SIGUSR1}); }
  EXPECT_EQ(disposition(SIGUSR1), &former_handler);
  std::signal(SIGUSR1, SIG_DFL);
}

TEST(NotifyContext, AHandlerPutOverOursIsLeftAlone) {
  {
    const cancel_scope scope = notify_context(context::background(), {SIGUSR1});
    std::signal(SIGUSR1, &former_handler);
  }
  EXPECT_EQ(disposition(SIGUSR1), &former_handler);
  std::signal(SIGUSR1, SIG_DFL);
}

TEST(NotifyContext, ASecondSignalIsTakenWhileTheScopeLives) {
  const cancel_scope scope = notify_context(context::background(), {SIGUSR1});
  ::kill(::getpid(), SIGUSR1);
  scope.ctx().wait();
  ::kill(::getpid(), SIGUSR1);  // would kill us
  EXPECT_NE(disposition(SIGUSR1), SIG_DFL);
}

TEST(NotifyContextDeathTest, ASecondSignalKillsOnceTheScopeHasEnded) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        {
          const cancel_scope scope = notify_context(context::background(), {SIGTERM});
          ::kill(::getpid(), SIGTERM);
          scope.ctx().wait();
        }
        ::kill(::getpid(), SIGTERM);
        ::pause();
      },
      testing::KilledBySignal(SIGTERM), "");
}

TEST(NotifyContext, WhatCannotBeCaughtIsRefused) {
  EXPECT_THROW((void)notify_context(context::background(), {SIGKILL}), std::invalid_argument);
  EXPECT_THROW((void)notify_context(context::background(), {SIGUSR1, SIGSTOP}), std::invalid_argument);
  EXPECT_EQ(disposition(SIGUSR1), SIG_DFL) << "nothing has changed";
  EXPECT_THROW((void)notify_context(context::background(), {0}), std::invalid_argument);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    EXPECT_THROW((void)notify_context(context::background(), {SIGUSR1, fault}), std::invalid_argument);
  }
  EXPECT_THROW((void)notify_context(context::background(), {1000}), std::invalid_argument);
  EXPECT_THROW((void)notify_context(context::background(), std::initializer_list<int>{}), std::invalid_argument);
}

TEST(NotifyContext, ItsThreadExistsOnlyWhileItIsUsed) {
  for (int i = 0; i < 50; ++i) {
    const cancel_scope scope = notify_context(context::background(), {SIGUSR1});
    if (i % 2 == 0) {
      ::kill(::getpid(), SIGUSR1);
      scope.ctx().wait();
    }
    while (!thread_exists("spool-signals")) std::this_thread::yield();
  }
  while (thread_exists("spool-signals")) std::this_thread::yield();
}

TEST(NotifyContext, AStopCallbackMayEndTheScope) {
  std::optional<cancel_scope> scope = notify_context(context::background(), {SIGUSR1});
  std::atomic<bool> ended = false;
  const context ctx = scope->ctx();
  const std::stop_callback callback(ctx.stop_token(), [&] {
    scope.reset();
    ended = true;
  });
  ::kill(::getpid(), SIGUSR1);
  while (!ended) std::this_thread::yield();
  EXPECT_EQ(disposition(SIGUSR1), SIG_DFL);
}

TEST(NotifyContext, ScopesComeAndGoOnManyThreads) {
  const cancel_scope keep = notify_context(context::background(), {SIGUSR2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) {
        const cancel_scope scope = notify_context(context::background(), {SIGUSR2});
        ::kill(::getpid(), SIGUSR2);
        scope.ctx().wait();
      }
    });
  }
  for (auto& t : threads) t.join();
  keep.ctx().wait();
}

class NotifyContextOnFibers : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(NotifyContextOnFibers);

TEST_P(NotifyContextOnFibers, TakesWhatAFiberRaisesOnItsWorker) {
  run([] {
    const cancel_scope scope = notify_context(context::background(), {SIGUSR1, SIGTERM});
    std::raise(SIGTERM);
    scope.ctx().wait();
    EXPECT_EQ(scope.ctx().cause().message(), "signal: terminated");
  });
}

TEST_P(NotifyContextOnFibers, TakesWhatAFiberRaisesThoughTheWorkersAreBusy) {
  run([] {
    const cancel_scope scope = notify_context(context::background(), {SIGUSR1});
    for (std::size_t i = 0; i < GetParam(); ++i) {
      go([ctx = scope.ctx()] {
        while (!ctx.done()) this_fiber::yield();
      });
    }
    std::raise(SIGUSR1);
    while (!scope.ctx().done()) this_fiber::yield();
  });
}

TEST_P(NotifyContextOnFibers, TakesWhatABlockingCallRaises) {
  run([] {
    const cancel_scope scope = notify_context(context::background(), {SIGUSR1});
    blocking([] { std::raise(SIGUSR1); });
    scope.ctx().wait();
  });
}

// Workers block all signals; here the main thread does, too, and only the thread of the watch is left to take it.
TEST_P(NotifyContextOnFibers, WakesFibersThoughEveryOtherThreadBlocksTheSignal) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  run([] {
    const cancel_scope scope = notify_context(runtime::current()->root(), {SIGUSR1});
    errgroup group(scope.ctx());
    for (int i = 0; i < 10; ++i) {
      group.go([&]() -> error {
        group.context().wait();
        return group.context().cause();
      });
    }
    ::kill(::getpid(), SIGUSR1);
    EXPECT_EQ(group.wait().message(), "signal: user defined signal 1");
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
