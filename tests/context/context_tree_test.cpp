// Large trees, and cancellation that races with itself, with derivation and with the last handle.
#include <support/runtimes.hpp>

#include <malloc.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#ifdef BOOST_USE_TSAN
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();  // gcc has no header for it
#endif

namespace {

using namespace spool;
using namespace std::chrono_literals;

/// Bytes that malloc has given out; 0 under AddressSanitizer, which holds freed blocks back.
std::size_t allocated_bytes() {
#ifdef BOOST_USE_TSAN
  return __sanitizer_get_current_allocated_bytes();
#else
  return ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
#endif
}

std::vector<cancel_scope> chain(const context& top, int length) {
  std::vector<cancel_scope> scopes;
  scopes.reserve(static_cast<std::size_t>(length));
  scopes.push_back(with_cancel(top));
  for (int i = 1; i < length; ++i) scopes.push_back(with_cancel(scopes.back().ctx()));
  return scopes;
}

class ContextTreeOnFibers : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ContextTreeOnFibers);

TEST_P(ContextTreeOnFibers, TenThousandDeepIsCancelledWithoutRecursion) {
  run([] {
    const auto scopes = chain(context::background(), 10'000);
    EXPECT_FALSE(scopes.back().ctx().done());
    scopes.front().cancel(errc::closed);
    for (const auto& scope : scopes) ASSERT_EQ(scope.ctx().cause(), errc::closed);
  });
}

TEST_P(ContextTreeOnFibers, TenThousandDeepIsDestroyedWithoutRecursion) {
  run([] {
    // The deepest handle is all that keeps the chain.
    std::stop_source source;
    context deepest = context::background();
    for (int i = 0; i < 10'000; ++i) deepest = from_stop_token(deepest, source.get_token());
    EXPECT_FALSE(deepest.done());
    deepest = {};
    source.request_stop();
  });
}

TEST_P(ContextTreeOnFibers, TenThousandValuesAreDestroyedWithoutRecursion) {
  run([] {
    const context_key<std::shared_ptr<int>> key("shared");
    const auto shared = std::make_shared<int>(7);
    context deepest = context::background();
    for (int i = 0; i < 10'000; ++i) deepest = with_value(deepest, key, shared);
    EXPECT_EQ(shared.use_count(), 10'001);
    deepest = {};
    EXPECT_EQ(shared.use_count(), 1);
  });
}

TEST(ContextTree, ADeepChainMayLoseItsHandlesFromEitherEnd) {
  auto scopes = chain(context::background(), 10'000);
  while (scopes.size() > 5'000) scopes.pop_back();
  std::vector<cancel_scope> turned;
  while (!scopes.empty()) {
    turned.push_back(std::move(scopes.back()));
    scopes.pop_back();
  }
  const context lowest = turned.front().ctx();
  turned.pop_back();  // the top
  EXPECT_TRUE(lowest.done());
}

TEST(ContextTree, AHundredThousandChildrenAreAllDoneOnReturn) {
  const cancel_scope parent = with_cancel(context::background());
  std::vector<cancel_scope> children;
  for (int i = 0; i < 100'000; ++i) children.push_back(with_cancel(parent.ctx()));
  parent.cancel();
  for (const auto& child : children) ASSERT_TRUE(child.ctx().done());
}

TEST(ContextTree, AMillionCancelledChildrenLeaveNothingWithTheirParent) {
  const cancel_scope parent = with_cancel(context::background());
  const std::size_t before = allocated_bytes();
  for (int i = 0; i < 1'000'000; ++i) {
    const cancel_scope child = with_cancel(parent.ctx());
    if (i % 2 == 0) child.cancel();
  }
  EXPECT_LT(allocated_bytes(), before + 64 * 1024);
}

TEST(ContextTree, ChildrenWhoseLastHandleGoesLeaveNothingWithTheirParent) {
  const cancel_scope parent = with_cancel(context::background());
  std::stop_source never;
  const std::size_t before = allocated_bytes();
  for (int i = 0; i < 200'000; ++i) {
    const context child = from_stop_token(parent.ctx(), never.get_token());
    ASSERT_FALSE(child.done());
  }
  EXPECT_LT(allocated_bytes(), before + 64 * 1024);
}

TEST(ContextTree, TimersOfCancelledContextsLeaveNothingBehind) {
  { const cancel_scope warm = with_timeout(context::background(), 1h); }
  const std::size_t before = allocated_bytes();
  for (int i = 0; i < 100'000; ++i) {
    const cancel_scope scope = with_timeout(context::background(), 1h);
    ASSERT_FALSE(scope.ctx().done());
  }
  EXPECT_LT(allocated_bytes(), before + 256 * 1024);
}

// Go's rule: whoever returns from cancel finds every descendant done, whichever of two cancels came first.
TEST(ContextTree, EveryCancelReturnsToADoneSubtree) {
  for (int round = 0; round < 50; ++round) {
    const auto top = chain(context::background(), 40);
    std::vector<cancel_scope> leaves;
    for (int i = 0; i < 1'000; ++i) leaves.push_back(with_cancel(top.back().ctx()));
    std::atomic<int> ready = 0;
    std::atomic<int> undone = 0;
    std::vector<std::thread> threads;
    for (const std::size_t from : {0U, 10U, 20U, 39U}) {
      threads.emplace_back([&, from] {
        ++ready;
        while (ready < 4) std::this_thread::yield();
        top[from].cancel();
        for (const auto& leaf : leaves) undone += leaf.ctx().done() ? 0 : 1;
      });
    }
    for (auto& t : threads) t.join();
    ASSERT_EQ(undone, 0);
  }
}

TEST(ContextTree, ChildrenMadeWhileTheParentIsCancelledAreDone) {
  for (int round = 0; round < 200; ++round) {
    const cancel_scope parent = with_cancel(context::background());
    std::vector<cancel_scope> children;
    std::atomic<bool> begun = false;
    std::thread maker([&] {
      for (int i = 0; i < 200; ++i) {
        children.push_back(with_cancel(parent.ctx()));
        begun = true;
      }
    });
    while (!begun) std::this_thread::yield();
    parent.cancel();
    maker.join();
    for (const auto& child : children) ASSERT_TRUE(child.ctx().done());
  }
}

TEST(ContextTree, CancellationRacesWithTheLastHandles) {
  for (int round = 0; round < 200; ++round) {
    std::stop_source source;
    const cancel_scope parent = with_cancel(context::background());
    std::vector<context> children;
    for (int i = 0; i < 100; ++i) children.push_back(from_stop_token(parent.ctx(), source.get_token()));
    std::thread dropper([&] { children.clear(); });
    std::thread stopper([&] { source.request_stop(); });
    parent.cancel();
    dropper.join();
    stopper.join();
    ASSERT_TRUE(parent.ctx().done());
  }
}

TEST_P(ContextTreeOnFibers, ManyFibersCancelDeriveAndDropAtOnce) {
  run([] {
    const cancel_scope top = with_cancel(context::background());
    std::atomic<int> ended = 0;
    for (int f = 0; f < 16; ++f) {
      spool::go([&, f] {
        context at = top.ctx();
        std::vector<cancel_scope> mine;
        for (int i = 0; i < 300; ++i) {
          mine.push_back((i + f) % 3 == 0 ? with_timeout(at, 50us) : with_cancel(at));
          if (i % 5 == 0) at = mine.back().ctx();
          if (i % 7 == 0) mine[mine.size() / 2].cancel();
          if (i % 11 == 0) mine.pop_back();
          if (i % 50 == 0) {
            at = top.ctx();
            this_fiber::yield();
          }
        }
        ++ended;
      });
    }
    spool_test::wait_until([&] { return ended >= 8; });
    top.cancel();
    spool_test::wait_until([&] { return ended == 16; });
  });
}

}  // namespace
