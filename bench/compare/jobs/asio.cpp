// boost::asio::thread_pool, which has no bound. A job posts with `post`, too: `dispatch` would run the job at once.
#include "driver.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <utility>

namespace {

struct pool {
  explicit pool(std::size_t) {}

  template <class Job>
  void post(Job job) {
    boost::asio::post(threads, std::move(job));
  }

  boost::asio::thread_pool threads{jobs::workers};
};

}  // namespace

int main(int argc, char** argv) {
  const auto* const row = jobs::row_named(argc, argv);
  if (row == nullptr) return 1;
  jobs::measure<pool>(*row, "asio", jobs::large_queue);
}
