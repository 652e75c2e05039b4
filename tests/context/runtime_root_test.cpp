// runtime::root(): the context of everything that should end with the runtime.
#include <support/runtimes.hpp>

#include <atomic>
#include <optional>

namespace {

using namespace spool;

class RuntimeRoot : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(RuntimeRoot);

TEST_P(RuntimeRoot, IsNotDoneWhileTheMainFiberRuns) {
  runtime rt(options());
  rt.run([&] {
    EXPECT_FALSE(rt.root().done());
    EXPECT_EQ(rt.root().deadline(), std::nullopt);
    EXPECT_EQ(&rt.root(), &runtime::current()->root());
  });
}

TEST_P(RuntimeRoot, IsCancelledWhenTheMainFiberReturns) {
  runtime rt(options());
  std::atomic<bool> stopped = false;
  rt.run([&] {
    spool::go([&] {
      rt.root().wait();
      stopped = rt.root().err() == errc::canceled;
    });
  });
  EXPECT_TRUE(stopped);
}

TEST_P(RuntimeRoot, EndsWhatIsDerivedFromIt) {
  runtime rt(options());
  std::atomic<int> stopped = 0;
  rt.run([&] {
    for (int i = 0; i < 50; ++i) {
      spool::go([&] {
        const cancel_scope mine = with_cancel(rt.root());
        mine.ctx().wait();
        ++stopped;
      });
    }
  });
  EXPECT_EQ(stopped, 50);
}

TEST_P(RuntimeRoot, AskedForAfterTheEndIsDone) {
  runtime rt(options());
  rt.run([] {});
  EXPECT_TRUE(rt.root().done());
}

TEST_P(RuntimeRoot, HandlesMayOutliveTheRuntime) {
  std::optional<runtime> rt(std::in_place, options());
  const context root = rt->root();
  EXPECT_FALSE(root.done());
  rt.reset();
  EXPECT_TRUE(root.done());
}

TEST_P(RuntimeRoot, AfterFuncOfTheRootRunsAtTheEnd) {
  runtime rt(options());
  std::atomic<bool> ran = false;
  rt.run([&] { after_func(rt.root(), [&] { ran = true; }); });
  EXPECT_TRUE(ran);
}

TEST_P(RuntimeRoot, EveryRuntimeHasItsOwn) {
  runtime one(options());
  runtime two(options());
  one.run([] {});
  EXPECT_TRUE(one.root().done());
  EXPECT_FALSE(two.root().done());
}

}  // namespace
