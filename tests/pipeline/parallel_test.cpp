// parallel_for_each, parallel_map: the elements of a range, several at a time.
#include "drained.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <forward_list>
#include <list>
#include <numeric>
#include <stdexcept>

namespace {

using namespace spool;
using namespace std::chrono_literals;
using spool_test::named;
using spool_test::wait_until;

class Parallel : public spool_test::Drained {};
SPOOL_INSTANTIATE_WORKERS(Parallel);

const context background = context::background();

std::vector<int> numbers(int n) {
  std::vector<int> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

TEST_P(Parallel, ForEachCallsOnceForEveryElement) {
  run([] {
    std::vector<std::atomic<int>> calls(1'000);
    EXPECT_FALSE(parallel_for_each(background, numbers(1'000), 7,
                                   [&](const context&, int v) { ++calls[static_cast<std::size_t>(v)]; }));
    for (auto& n : calls) EXPECT_EQ(n, 1);
  });
}

TEST_P(Parallel, ForEachMayChangeTheElements) {
  run([] {
    std::vector<int> v(100, 1);
    EXPECT_FALSE(parallel_for_each(background, v, 4, [](int& x) { ++x; }));
    EXPECT_EQ(v, std::vector<int>(100, 2));
    std::list<std::unique_ptr<int>> owned;
    for (int i = 0; i < 10; ++i) owned.push_back(std::make_unique<int>(i));
    std::atomic<int> sum = 0;
    EXPECT_FALSE(
        parallel_for_each(background, owned, 3, [&](std::unique_ptr<int>& x) { sum += *std::exchange(x, nullptr); }));
    EXPECT_EQ(sum, 45);
    EXPECT_FALSE(owned.front());
  });
}

TEST_P(Parallel, RunsAsManyAtATimeAsAskedFor) {
  run([] {
    std::atomic<int> inside = 0;
    EXPECT_FALSE(parallel_for_each(background, numbers(3), 3, [&](int) {
      ++inside;
      wait_until([&] { return inside == 3; });
    }));
    std::atomic<int> now = 0;
    std::atomic<bool> too_many = false;
    EXPECT_FALSE(parallel_for_each(background, numbers(100), 2, [&](int) {
      if (++now > 2) too_many = true;
      this_fiber::yield();
      --now;
    }));
    EXPECT_FALSE(too_many);
  });
}

TEST_P(Parallel, StartsNoMoreFibersThanElements) {
  run([] {
    std::atomic<std::size_t> most = 0;
    EXPECT_FALSE(
        parallel_for_each(background, numbers(2), 1'000, [&](int) { most = std::max(most.load(), fiber_count()); }));
    EXPECT_LE(most, 3u);
  });
}

TEST_P(Parallel, TheFirstErrorEndsIt) {
  run([] {
    std::atomic<int> calls = 0;
    const error e = parallel_for_each(background, numbers(1'000), 4, [&](const context& ctx, int v) -> error {
      ++calls;
      if (v == 5) return named("five");
      if (v > 5) ctx.wait();
      return {};
    });
    EXPECT_EQ(e.message(), "five");
    EXPECT_LE(calls, 9);
  });
}

TEST_P(Parallel, AnExceptionIsAnError) {
  run([] {
    const error e = parallel_for_each(background, numbers(10), 2, [](int v) {
      if (v == 3) throw std::runtime_error("three");
    });
    EXPECT_EQ(e.message(), "three");
    const auto mapped = parallel_map(background, numbers(10), 2, [](int v) -> int {
      if (v == 3) throw std::runtime_error("three");
      return v;
    });
    EXPECT_THROW((void)mapped.value(), std::runtime_error);
  });
}

TEST_P(Parallel, AcceptsEveryResultThatMeansAnError) {
  run([] {
    const auto outcome_of = [](auto f) { return parallel_for_each(background, numbers(1), 1, f); };
    EXPECT_FALSE(outcome_of([](int) { return error(); }));
    EXPECT_FALSE(outcome_of([](int) -> result<int> { return 1; }));
    EXPECT_EQ(outcome_of([](int) { return errc::full; }), errc::full);
    EXPECT_EQ(outcome_of([](int) { return std::make_error_code(std::errc::io_error); }), std::errc::io_error);
  });
}

TEST_P(Parallel, CancellationEndsItWithTheContextsError) {
  run([] {
    const cancel_scope scope = with_cancel(background);
    std::atomic<int> calls = 0;
    const error e = parallel_for_each(scope.ctx(), numbers(1'000), 2, [&](const context& ctx, int) {
      if (++calls == 10) scope.cancel();
      if (calls >= 10) ctx.wait();
    });
    EXPECT_EQ(e, errc::canceled);
    EXPECT_LE(calls, 12);
    calls = 0;
    EXPECT_EQ(parallel_for_each(scope.ctx(), numbers(10), 2, [&](int) { ++calls; }), errc::canceled);
    EXPECT_EQ(parallel_map(scope.ctx(), std::vector<int>(), 2, [&](int v) { return v; }).error(), errc::canceled);
    EXPECT_EQ(calls, 0);
  });
}

TEST_P(Parallel, MapKeepsTheOrder) {
  run([] {
    const auto squares = parallel_map(background, numbers(300), 8, [](const context&, int v) {
      for (int i = 0; i < v % 3; ++i) this_fiber::yield();
      return v * v;
    });
    ASSERT_EQ(squares.value().size(), 300u);
    for (int i = 0; i < 300; ++i) EXPECT_EQ((*squares)[static_cast<std::size_t>(i)], i * i);
  });
}

// Neither default-constructible nor copyable nor assignable.
struct rigid {
  explicit rigid(int v) : value(v) {}
  rigid(rigid&&) = default;
  const int value;
};

TEST_P(Parallel, MapsToWhatCanOnlyBeMoved) {
  run([] {
    auto made = parallel_map(background, std::array{1, 2, 3}, 2, [](int v) -> result<rigid> { return rigid(v); });
    ASSERT_TRUE(made);
    EXPECT_EQ(made->at(2).value, 3);
    auto plain = parallel_map(background, std::array{1, 2, 3}, 2, [](int v) { return std::make_unique<int>(v); });
    EXPECT_EQ(*plain->at(0), 1);
  });
}

TEST_P(Parallel, MapReportsTheFirstError) {
  run([] {
    const auto mapped = parallel_map(background, numbers(100), 3, [](int v) -> result<int> {
      if (v == 50) return named("fifty");
      return v;
    });
    ASSERT_FALSE(mapped);
    EXPECT_EQ(mapped.error().message(), "fifty");
  });
}

TEST_P(Parallel, TakesRangesOfEveryKind) {
  run([] {
    const auto twice = [](int v) { return 2 * v; };
    EXPECT_EQ(parallel_map(background, std::list{1, 2, 3}, 2, twice).value(), (std::vector{2, 4, 6}));
    const std::forward_list<int> singly{4, 5};
    EXPECT_EQ(parallel_map(background, singly, 2, twice).value(), (std::vector{8, 10}));
    int plain[] = {7, 8};
    EXPECT_EQ(parallel_map(background, plain, 2, twice).value(), (std::vector{14, 16}));
    EXPECT_TRUE(parallel_map(background, std::vector<int>(), 2, twice).value().empty());
    const channel<int> read_once(10);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(read_once.send(i));
    read_once.close();
    EXPECT_EQ(parallel_map(background, read_once, 4, twice).value().back(), 18);
  });
}

TEST_P(Parallel, TakesAllThatAChannelIsSentMeanwhile) {
  run([] {
    for (const std::size_t capacity : {0u, 3u}) {
      const channel<int> in(capacity);
      go([in] {
        for (int i = 0; i < 100 && in.send(i); ++i) {
        }
        in.close();
      });
      EXPECT_EQ(parallel_map(background, in, 4, [](int v) { return v; }).value(), numbers(100));
      in.close();
      auto [tx, rx] = make_channel<int>(capacity);
      go([out = std::move(tx)] {
        for (int i = 0; i < 100 && out.send(i); ++i) {
        }
      });
      std::atomic<int> sum = 0;
      EXPECT_FALSE(parallel_for_each(background, std::move(rx), 4, [&](int v) { sum += v; }));
      EXPECT_EQ(sum, 4950);
    }
  });
}

TEST_P(Parallel, TheFirstErrorEndsTheWaitForAChannelsNextValue) {
  run([] {
    const channel<int> stays_open(1);
    EXPECT_TRUE(stays_open.send(0));
    EXPECT_EQ(parallel_for_each(background, stays_open, 4, [](int) { return named("first"); }).message(), "first");
    EXPECT_TRUE(stays_open.send(1));
    EXPECT_EQ(stays_open.recv(), 1) << "nothing was taken after the end";
  });
}

TEST_P(Parallel, CancellationEndsTheWaitForAChannelsNextValue) {
  run([] {
    const channel<int> stays_open(2);
    for (const bool waits : {false, true}) {
      const cancel_scope scope = with_cancel(background);
      EXPECT_TRUE(stays_open.send(0));
      const auto mapped = parallel_map(scope.ctx(), stays_open, 3, [&](int v) {
        if (waits) {
          go([&scope] { scope.cancel(); });
          scope.ctx().wait();
        } else {
          scope.cancel();
        }
        return v;
      });
      ASSERT_FALSE(mapped) << "it was cut short";
      EXPECT_EQ(mapped.error(), errc::canceled);
      wait_until([] { return fiber_count() == 1; });
    }
    const cancel_scope scope = with_cancel(background);
    go([&scope] { scope.cancel(); });
    const channel<int> nothing_comes;
    EXPECT_EQ(parallel_for_each(scope.ctx(), nothing_comes, 2, [](int) {}), errc::canceled);
    wait_until([] { return fiber_count() == 1; });
  });
}

TEST_P(Parallel, AChannelThatWasMovedFromIsTheCallersMistake) {
  run([] {
    channel<int> in(1);
    const channel<int> taken = std::move(in);
    EXPECT_THROW((void)parallel_for_each(background, in, 2, [](int) {}), std::logic_error);
  });
}

TEST_P(Parallel, FunctionsMayBeNamedAndHaveState) {
  run([] {
    std::atomic<int> sum = 0;
    const auto add = [&sum](int v) { sum += v; };
    EXPECT_FALSE(parallel_for_each(background, numbers(10), 3, add));
    struct counter {
      std::atomic<int> calls{0};
      int operator()(const context&, int) { return ++calls; }
    } count;
    EXPECT_EQ(parallel_map(background, numbers(10), 3, count).value().size(), 10u);
    EXPECT_EQ(count.calls, 10) << "the function itself is called, not a copy";
    EXPECT_EQ(sum, 45);
  });
}

TEST_P(Parallel, RefusesNoWorkers) {
  run([] {
    EXPECT_THROW((void)parallel_for_each(background, numbers(1), 0, [](int) {}), std::invalid_argument);
    EXPECT_THROW((void)parallel_map(background, numbers(1), 0, [](int v) { return v; }), std::invalid_argument);
  });
}

TEST_P(Parallel, RefusesWorkersWithoutBoundUnlessTheElementsAreCounted) {
  run([] {
    const channel<int> in;
    in.close();
    EXPECT_THROW((void)parallel_for_each(background, in, 1'048'577, [](int) {}), std::invalid_argument);
    const std::forward_list<int> singly{4, 5};
    EXPECT_THROW((void)parallel_map(background, singly, SIZE_MAX, [](int v) { return v; }), std::invalid_argument);
    EXPECT_FALSE(parallel_for_each(background, numbers(2), SIZE_MAX, [](int) {}));
    EXPECT_FALSE(parallel_for_each(background, std::list{1, 2}, SIZE_MAX, [](int) {}));
  });
}

TEST_P(Parallel, MapCopiesWhatAFunctionReturnsByReference) {
  run([] {
    const std::string word(100, 'w');
    result<std::string> shared = word;
    const auto of = [&](int) -> result<std::string>& { return shared; };
    EXPECT_EQ(parallel_map(background, numbers(3), 1, of).value(), std::vector<std::string>(3, word));
  });
}

TEST(ParallelOnAPlainThread, IsRefused) {
  EXPECT_THROW((void)parallel_for_each(background, numbers(1), 1, [](int) {}), std::logic_error);
  EXPECT_THROW((void)parallel_map(background, numbers(1), 1, [](int v) { return v; }), std::logic_error);
}

}  // namespace
