// shutdown_sequence where memory is short.
#include "runtime/threads.hpp"

#include <spool/spool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <system_error>

namespace {
std::atomic<spool_test::thread_id> fails_next_on{0};  // the thread whose next allocation fails
}

// The library's own array and nothrow forms call these; a sanitizer's do not, and it minds a block that comes back by
// another way than it went. Out of line: inlined, gcc takes free for a mismatch of new.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (fails_next_on.load() != 0 && fails_next_on.load() == spool_test::thread_now()) {
    fails_next_on = 0;
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
#ifdef SPOOL_TEST_SANITIZED
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return std::malloc(bytes == 0 ? 1 : bytes);
}
#endif
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using spool::shutdown_outcome;
using spool::shutdown_sequence;

TEST(ShutdownMemory, AStepThatCannotBeStartedHasFailedAndTheOthersRun) {
  fails_next_on = spool_test::thread_now();
  try {
    ::operator delete(::operator new(1));
    fails_next_on = 0;
    GTEST_SKIP() << "operator new is the sanitizer's";
  } catch (const std::bad_alloc&) {
  }
  spool::runtime rt({.threads = 2});
  const spool_test::thread_id waiting = spool_test::thread_now();
  bool last_ran = false;
  {
    shutdown_sequence shutdown(rt, {.signals = {}});
    shutdown.on_stop("first", [&] { fails_next_on = waiting; });
    shutdown.on_stop("second", [] { FAIL() << "there was no memory for it"; });
    shutdown.on_stop("third", [&] { last_ran = true; });
    shutdown.request();
    const spool::shutdown_summary summary = shutdown.wait();  // on this plain thread, which starts the steps
    EXPECT_EQ(fails_next_on, 0);
    EXPECT_FALSE(summary.ok());
    EXPECT_TRUE(summary.ended());
    ASSERT_EQ(summary.steps.size(), 3u);
    EXPECT_EQ(summary.steps[1].outcome, shutdown_outcome::failed);
    EXPECT_EQ(summary.steps[1].err, std::errc::not_enough_memory);
    EXPECT_EQ(summary.steps[2].outcome, shutdown_outcome::done);
  }
  EXPECT_TRUE(last_ran);
}

}  // namespace
