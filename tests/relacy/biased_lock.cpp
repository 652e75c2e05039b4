// The biased lock, as it ships, under Relacy: spool_relacy_biased_lock [--without-fence]
//
// Thread 0 is a worker's, and gets the bias after two times in a row; the others take the lock, withdraw the bias, and
// one of them is a worker, too. Relacy watches what the lock guards: two threads that touch it without an order between
// them are reported. All schedules with at most two switches that are not forced, and random ones; a million of these
// with SPOOL_TEST_LONG=1. --without-fence plants a bug: who withdraws a bias issues no heavy fence.
#include "model_fence.hpp"
#include "model_pause.hpp"
#include "model_run.hpp"

#include <string_view>

#define alone_for_bias alone_for_bias_as_shipped
#include <spool/runtime/detail/biased_lock.hpp>
#undef alone_for_bias

namespace {
bool withdrawal_issues_fence = true;
}
namespace spool::detail {
inline constexpr std::uint16_t alone_for_bias = 2;
inline void fence_of_withdrawal() {
  if (withdrawal_issues_fence) heavy_fence();
}
}  // namespace spool::detail
#define heavy_fence fence_of_withdrawal
#include "runtime/biased_lock.cpp"
#undef heavy_fence

namespace spool::detail {
bool may_take_bias(bias_id self) noexcept { return self != 0; }
void note_withdrawal(bias_id) noexcept {}
void meet_contention(contention_mark&) noexcept {}
bias_id current_bias_id() noexcept { return 0; }
}  // namespace spool::detail
void spool::this_fiber::yield() { rl::yield(1, RL_INFO); }

namespace {

using spool::detail::biased_lock;

template <unsigned Others>
struct owner_and_others : rl::test_suite<owner_and_others<Others>, static_cast<int>(1 + Others)> {
  biased_lock lock;
  rl::var<unsigned> guarded;
  model_std::atomic<bool> half_way;

  void before() { guarded(RL_INFO) = 0; }
  void thread(unsigned index) {
    const auto id = static_cast<spool::detail::bias_id>(index == 2 ? 0 : index + 1);  // 2 is a plain thread
    for (int i = times(index); i > 0; --i) {
      lock.lock(id);
      const unsigned before = guarded(RL_INFO);
      half_way.store(true, model_std::memory_order_relaxed);  // Relacy switches at atomics only
      guarded(RL_INFO) = before + 1;
      lock.unlock();
    }
  }
  void after() {
    unsigned all = 0;
    for (unsigned index = 0; index <= Others; ++index) all += static_cast<unsigned>(times(index));
    RL_ASSERT(guarded(RL_INFO) == all);
  }
  /// Enough for either worker to get the bias, the other one's being withdrawn.
  static int times(unsigned index) { return index == 0 ? 5 : index == 1 ? 4 : 2; }
};

}  // namespace

int main(int argc, char** argv) {
  withdrawal_issues_fence = !(argc > 1 && std::string_view(argv[1]) == "--without-fence");
  bool good = model::holds_always<owner_and_others<1>>("owner and a worker");
  good = model::holds_always<owner_and_others<2>>("owner, a worker and a plain thread") && good;
  good = model::holds_at_random<owner_and_others<2>>("owner, a worker and a plain thread") && good;
  return good ? 0 : 1;
}
