// The run queue with stealing, as it ships, under Relacy: spool_relacy_run_queue [--without-fence]
//
// The owner pushes and pops while thieves steal: every item must be taken once. All schedules with at most two switches
// that are not forced, and random ones; a million of these with SPOOL_TEST_LONG=1. Covered are the flags by which owner
// and thieves keep each other out, and their memory orders. Not covered is the membarrier, which is taken at its word;
// and of the plain fields Relacy sees the ring, not the indices and the slot beside it. --without-fence plants a bug.
#include "model_std.hpp"

#include "runtime/asymmetric_fence.hpp"
#include "runtime/pause.hpp"

#include <spool/base/cache_line.hpp>
#include <spool/runtime/detail/task.hpp>

#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string_view>

namespace {
bool heavy_fence_works = true;
}

namespace spool::detail {
namespace std = ::model_std;

// What a membarrier promises of the two, both being full fences.
inline void light_fence_in_model() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void heavy_fence_in_model() {
  if (heavy_fence_works) std::atomic_thread_fence(std::memory_order_seq_cst);
}
inline bool asymmetric_in_model() { return true; }
inline void pause_in_model() { rl::yield(1, RL_INFO); }
}  // namespace spool::detail
inline void yield_in_model() { rl::yield(1, RL_INFO); }

#define light_fence light_fence_in_model
#define heavy_fence heavy_fence_in_model
#define fences_are_asymmetric asymmetric_in_model
#define cpu_pause pause_in_model
#define sched_yield yield_in_model
#include "runtime/run_queue.cpp"
#undef light_fence
#undef heavy_fence
#undef fences_are_asymmetric
#undef cpu_pause
#undef sched_yield

namespace {

using spool::detail::loot;
using spool::detail::run_queue;
using spool::detail::runnable;

struct item : runnable {
  item() : runnable(kind::task) {}
};

constexpr std::size_t items = 6;
constexpr rl::iteration_t no_limit = 1'000'000'000;

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

template <unsigned Thieves>
bool holds(const char* what, rl::scheduler_type_e how, rl::iteration_t schedules) {
  rl::test_params params;
  params.search_type = how;
  params.context_bound = 2;
  params.iteration_count = schedules;
  params.execution_depth_limit = 20'000;
  std::ostream nowhere(nullptr);
  params.progress_stream = &nowhere;
  const bool good = rl::simulate<owner_and_thieves<Thieves>>(params);
  std::printf("run queue, owner and %u thieves, %s: %s, %ju schedules\n", Thieves, what, good ? "holds" : "FAILS",
              static_cast<std::uintmax_t>(params.stop_iteration));
  return good;
}

}  // namespace

// The one of the operators that Relacy leaves to the C++ library, whose memory its delete would not know.
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return ::operator new[](bytes); }

int main(int argc, char** argv) {
  heavy_fence_works = !(argc > 1 && std::string_view(argv[1]) == "--without-fence");
  const rl::iteration_t random = std::getenv("SPOOL_TEST_LONG") != nullptr ? 1'000'000 : 100'000;
  bool good = holds<1>("at most 2 switches", rl::sched_bound, no_limit);
  good = holds<2>("at most 2 switches", rl::sched_bound, no_limit) && good;
  good = holds<2>("random", rl::sched_random, random) && good;
  return good ? 0 : 1;
}
