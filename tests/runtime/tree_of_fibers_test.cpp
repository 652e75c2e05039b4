// Fibers that start others and wait for them: a whole level of the tree must not have stacks at the same time.
#include <support/runtimes.hpp>
#include <support/sanitized.hpp>

#include <atomic>
#include <cstddef>

namespace {

using namespace spool;

class TreeOfFibers : public spool_test::WithWorkers {
 protected:
  /// Sums 0 .. leaves - 1.
  void add_up(const channel<long>& up, long first, long leaves) {
    if (leaves == 1) {
      EXPECT_TRUE(up.send(first));
      return;
    }
    note_begun();
    const channel<long> sums;
    for (long child = 0; child < 10; ++child) {
      go([this, sums, first, child, leaves] { add_up(sums, first + child * (leaves / 10), leaves / 10); });
    }
    long sum = 0;
    for (int child = 0; child < 10; ++child) sum += sums.recv().value_or(0);
    --begun_;
    EXPECT_TRUE(up.send(sum));
  }

  int most_begun() const { return most_begun_; }

 private:
  void note_begun() {
    const int begun = ++begun_;
    for (int most = most_begun_; begun > most && !most_begun_.compare_exchange_weak(most, begun);) {
    }
  }
  std::atomic<int> begun_{0};
  std::atomic<int> most_begun_{0};
};
SPOOL_INSTANTIATE_WORKERS(TreeOfFibers);

TEST_P(TreeOfFibers, IsFinishedBranchByBranch) {
  const long leaves = spool_test::sanitized ? 1'000 : 100'000;
  const long inner = leaves / 9;
  run([&] {
    const channel<long> top;
    go([&] { add_up(top, 0, leaves); });
    EXPECT_EQ(top.recv(), leaves * (leaves - 1) / 2);
  });
  if constexpr (!spool_test::sanitized) {
    EXPECT_LT(most_begun(), inner / 2);
  }
}

}  // namespace
