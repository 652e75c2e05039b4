// worker_pool, and a fiber for each job (`go`), which has no bound.
#include "driver.hpp"

#include <spool/spool.hpp>

#include <cstdlib>
#include <utility>

namespace {

spool::runtime_options two_threads() {
  spool::runtime_options options;
  options.threads = jobs::workers;
  return options;
}

class pool {
 public:
  explicit pool(std::size_t queue) : rt_(two_threads()), pool_(rt_, options(queue)) {}

  template <class Job>
  void post(Job job) {
    if (pool_.post(std::move(job)) != spool::channel_status::ok) std::abort();
  }

 private:
  static spool::worker_pool_options options(std::size_t queue) {
    spool::worker_pool_options chosen;
    chosen.workers = jobs::workers;
    chosen.queue_capacity = queue;
    return chosen;
  }

  spool::runtime rt_;
  spool::worker_pool pool_;
};

class fibers {
 public:
  explicit fibers(std::size_t) : rt_(two_threads()) {}

  template <class Job>
  void post(Job job) {
    rt_.go(std::move(job));
  }

 private:
  spool::runtime rt_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto* const row = jobs::row_named(argc, argv);
  if (row == nullptr) return 1;
  jobs::measure<pool>(*row, "spool", jobs::small_queue);
  jobs::measure<pool>(*row, "spool", jobs::large_queue);
  jobs::measure<fibers>(*row, "spool_go", jobs::large_queue);
}
