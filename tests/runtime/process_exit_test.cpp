// std::exit on a fiber ends the process, as os.Exit does on a goroutine, and static objects are destroyed. Not in a sanitizer's
// build: there Boost.Context has thread-locals of its own, and asserts at the thread's end that no fiber runs on it.
#include <support/runtimes.hpp>
#include <support/sanitized.hpp>

#include <boost/fiber/condition_variable.hpp>
#include <boost/fiber/mutex.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace {

using namespace spool;

#ifndef SPOOL_TEST_SANITIZED
class ProcessExit : public spool_test::WithWorkers {
 protected:
  ProcessExit() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  /// Runs f, which is to end the process with status 3.
  template <class F>
  void expect_exit(F f) {
    EXPECT_EXIT(
        {
          std::atexit([] { std::fputs("at exit\n", stderr); });
          run(f);
        },
        testing::ExitedWithCode(3), "at exit");
  }
};
SPOOL_INSTANTIATE_WORKERS(ProcessExit);

TEST_P(ProcessExit, OnTheMainFiber) {
  expect_exit([] { std::exit(3); });
}

TEST_P(ProcessExit, WhileOthersWaitAndRun) {
  expect_exit([] {
    channel<int> never;
    for (int i = 0; i < 10; ++i) go([never] { (void)never.recv(); });
    go([] {
      for (;;) this_fiber::yield();
    });
    go([] {
      this_fiber::yield();
      std::exit(3);
    });
    (void)never.recv();
  });
}

TEST_P(ProcessExit, InAJobOfAPool) {
  expect_exit([] {
    worker_pool pool({.workers = 2});
    pool.submit([] { std::exit(3); }).get();
  });
}

TEST_P(ProcessExit, WhileFibersWaitInPrimitivesOfBoosts) {
  expect_exit([] {
    boost::fibers::mutex mu;
    boost::fibers::condition_variable never;
    for (int i = 0; i < 3; ++i) {
      go([&] {
        std::unique_lock lock(mu);
        never.wait(lock);
      });
    }
    for (int i = 0; i < 10; ++i) this_fiber::yield();
    std::exit(3);
  });
}

TEST_P(ProcessExit, DestroysAStaticRuntimeThatTheFiberIsOf) {
  EXPECT_EXIT(
      {
        static runtime rt(options());
        rt.run([] { std::exit(3); });
      },
      testing::ExitedWithCode(3), "");
}

TEST_P(ProcessExit, OfAChildThatWasForkedOnAFiber) {
  EXPECT_EXIT(
      {
        const int status = run([] {
          const pid_t child = ::fork();
          if (child == 0) std::exit(7);
          int how = 0;
          ::waitpid(child, &how, 0);
          return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
        });
        std::_Exit(status);
      },
      testing::ExitedWithCode(7), "");
}

#endif

}  // namespace
