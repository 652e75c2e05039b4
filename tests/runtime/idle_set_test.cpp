#include "../support/runtimes.hpp"

#include <runtime/fiber.hpp>
#include <runtime/scheduler.hpp>

#include <chrono>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace spool;

class IdleSet : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(IdleSet);

// One worker that counts as searching for good would keep every push from waking another.
TEST_P(IdleSet, NobodySearchesWhenAllSleep) {
  runtime rt(options());
  for (int round = 0; round < 20; ++round) {
    const detail::idle_set* idle = rt.run([] {
      wait_group all;
      for (int f = 0; f < 50; ++f) {
        all.go([f] {
          this_fiber::sleep_for(std::chrono::microseconds(f * 20));  // a timer wakes a worker, a push another
          for (int i = 0; i < 5; ++i) go([] { this_fiber::yield(); });
        });
      }
      all.wait();
      return &detail::current_fiber()->owner.idle();
    });
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    bool at_rest = false;
    while (!at_rest && std::chrono::steady_clock::now() < give_up) {
      at_rest = idle->sleeping() == GetParam() && idle->searching() == 0;
      std::this_thread::yield();
    }
    ASSERT_TRUE(at_rest) << idle->sleeping() << " asleep, " << idle->searching() << " searching";
  }
}

}  // namespace
