// oneTBB, which has no bound: task_arena::enqueue from outside, a task_group from inside, which uses the local queue.
#include "driver.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <utility>

namespace {

struct pool {
  explicit pool(std::size_t) {}

  template <class Job>
  void post(Job job) {
    arena.enqueue(std::move(job));
  }

  template <class Job>
  void post_all(std::int64_t count, const Job& job) {
    tbb::task_group group;
    for (std::int64_t i = 0; i < count; ++i) group.run(job);
    group.wait();
  }

  // None of the arena's places is for a caller from outside, but TBB counts one in when it limits its threads.
  tbb::global_control allow{tbb::global_control::max_allowed_parallelism, jobs::workers + 1};
  tbb::task_arena arena{static_cast<int>(jobs::workers), 0};
};

}  // namespace

int main(int argc, char** argv) {
  const auto* const row = jobs::row_named(argc, argv);
  if (row == nullptr) return 1;
  jobs::measure<pool>(*row, "tbb", jobs::large_queue);
}
