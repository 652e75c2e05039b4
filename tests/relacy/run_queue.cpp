// The run queue with stealing, as it ships, under Relacy: spool_relacy_run_queue [--without-fence]
//
// The owner pushes and pops while thieves steal: every item must be taken once. All schedules with at most two switches
// that are not forced, and random ones; a million of these with SPOOL_TEST_LONG=1. Covered are the flags by which owner
// and thieves keep each other out, and their memory orders. Not covered is the membarrier, which is taken at its word;
// and of the plain fields Relacy sees the ring, not the indices and the slot beside it. --without-fence plants a bug.
#include "model_fence.hpp"
#include "model_pause.hpp"
#include "model_run.hpp"

#include <string_view>

namespace {
bool thief_issues_fence = true;
}
namespace spool::detail {
inline void fence_of_thief() {
  if (thief_issues_fence) heavy_fence();
}
}  // namespace spool::detail
#define heavy_fence fence_of_thief
#include "runtime/run_queue.cpp"
#undef heavy_fence

namespace {

using spool::detail::loot;
using spool::detail::run_queue;
using spool::detail::runnable;

struct item : runnable {
  item() : runnable(kind::task) {}
};

constexpr std::size_t items = 6;

template <unsigned Thieves>
struct owner_and_thieves : rl::test_suite<owner_and_thieves<Thieves>, static_cast<int>(1 + Thieves)> {
  run_queue queue;
  item all[items];
  unsigned taken[items] = {};

  void take(const runnable* r) {
    const item* const i = static_cast<const item*>(r);
    RL_ASSERT(i >= all && i < all + items);
    ++taken[i - all];
  }

  void thread(unsigned index) {
    if (index == 0) {
      own();
    } else {
      steal();
    }
  }

  void own() {
    queue.push(&all[0]);
    queue.push(&all[1]);
    queue.push_next(&all[2]);
    if (runnable* r = queue.pop()) take(r);
    queue.push_next(&all[3]);
    queue.push_next(&all[4]);
    if (runnable* r = queue.pop()) take(r);
    queue.push(&all[5]);
    if (runnable* r = queue.pop()) take(r);
  }

  void steal() {
    loot stolen;
    queue.steal(stolen);
    for (std::size_t i = 0; i < stolen.count; ++i) take(stolen.items[i]);
  }

  void after() {
    while (runnable* r = queue.pop()) take(r);
    RL_ASSERT(queue.empty());
    for (const unsigned times : taken) RL_ASSERT(times == 1);
  }
};

}  // namespace

int main(int argc, char** argv) {
  thief_issues_fence = !(argc > 1 && std::string_view(argv[1]) == "--without-fence");
  bool good = model::holds_always<owner_and_thieves<1>>("owner and 1 thief");
  good = model::holds_always<owner_and_thieves<2>>("owner and 2 thieves") && good;
  good = model::holds_at_random<owner_and_thieves<2>>("owner and 2 thieves") && good;
  return good ? 0 : 1;
}
