// The same with a thread per task. Stacks as small as they may sensibly be; that is address space only.
#include <pthread.h>

#include <chrono>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

#include "report.hpp"

namespace {

using namespace waiting_tasks;

void* wait_often(void* late) {
  const auto start = lateness::clock::now();
  for (int n = 0; n < waits; ++n) std::this_thread::sleep_for(wait_time);
  static_cast<lateness*>(late)->add(lateness::clock::now() - start);
  return nullptr;
}

void run_tasks(std::size_t tasks, bool, lateness& late) {
  pthread_attr_t small;
  ::pthread_attr_init(&small);
  ::pthread_attr_setstacksize(&small, 128 * 1024);
  std::vector<pthread_t> all;
  for (std::size_t i = 0; i < tasks; ++i) {
    pthread_t one{};
    if (const int failure = ::pthread_create(&one, &small, wait_often, &late); failure != 0) {
      std::fprintf(stderr, "waiting_tasks: thread %zu: %s\n", i, std::generic_category().message(failure).c_str());
      std::exit(1);
    }
    all.push_back(one);
  }
  for (const pthread_t one : all) ::pthread_join(one, nullptr);
  ::pthread_attr_destroy(&small);
}

}  // namespace

int main(int argc, char** argv) { return report(argc, argv, "std_thread", run_tasks); }
