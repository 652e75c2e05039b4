// A deque of std::function behind a mutex and two condition variables: the pool that a service writes for itself.
#include "driver.hpp"

#include "../../support/thread_pool.hpp"

namespace {

struct pool : bench::thread_pool {
  explicit pool(std::size_t queue) : thread_pool(jobs::workers, queue) {}
};

}  // namespace

int main(int argc, char** argv) {
  const auto* const row = jobs::row_named(argc, argv);
  if (row == nullptr) return 1;
  jobs::measure<pool>(*row, "std_thread", jobs::small_queue);
  jobs::measure<pool>(*row, "std_thread", jobs::large_queue);
}
