// One waiter and several that would end its wait, as they ship, under Relacy: spool_relacy_waiter [--two-alone]
//
// A plain thread waits in two queues at once, as select does, each under a lock of its own, with a deadline or without;
// a waker comes to each. One claim succeeds. The winner alone writes the slot, the waiter returns after that and sees
// it; who loses sees what the winner did before it claimed. Who was woken does not count as blocked. Nobody touches the
// waiter once its wait is over, and no wake-up is lost between the thread's word and the futex. Tried are all schedules
// with at most two switches that are not forced, and random ones; a million of these with SPOOL_TEST_LONG=1. Shipped are
// waiter.hpp, waiter.cpp, the spin lock and the list; the futex and the clock are the model's. --two-alone plants a bug:
// each of two nodes says that the wait can end through it alone, and is claimed without a locked operation.
#include "model_run.hpp"

#include "runtime/plain_threads.cpp"

#include <spool/base/clock.hpp>

namespace spool::detail {
namespace std = ::model_std;
}
#include "model_kernel.hpp"
#include "model_pause.hpp"

#include "runtime/spin_lock.cpp"

#undef cpu_pause
#define cpu_pause look_again_in_model  // before a thread sleeps
#include "runtime/waiter.cpp"

#include <optional>
#include <string_view>

namespace spool::detail {

// Everybody is a plain thread here.
worker* current_worker() noexcept { return nullptr; }
fiber* current_fiber() noexcept { return nullptr; }
void worker::meet_contention(contention_mark&) noexcept {}
void fiber::park(waiter&, wait_site) noexcept { RL_ASSERT(false); }
void park(fiber&, waiter&, biased_lock&, wait_site) noexcept { RL_ASSERT(false); }
void unpark(fiber&, fiber*) noexcept { RL_ASSERT(false); }
void arm_timer(timer_node&, time_point) { RL_ASSERT(false); }
bool cancel_timer(timer_node&) noexcept { return false; }

}  // namespace spool::detail
void spool::this_fiber::yield() { rl::yield(1, RL_INFO); }

namespace {

using spool::detail::spin_lock;
using spool::detail::thread_census;
using spool::detail::time_point;
using spool::detail::wait_node;
using spool::detail::wait_queue;
using spool::detail::waiter;

bool nodes_say_alone = false;

template <unsigned Wakers, bool Timed>
struct waiter_and_wakers : rl::test_suite<waiter_and_wakers<Wakers, Timed>, static_cast<int>(1 + Wakers)> {
  struct object {
    spin_lock mu;
    wait_queue waiters;           // guarded by mu
    rl::var<bool> waker_is_here;  // written before the claim
  };
  /// What is on the stack of who waits.
  struct wait {
    rl::var<unsigned> slot;
    waiter self{nullptr};
    std::array<std::optional<wait_node>, Wakers> nodes;
  };

  object objects[Wakers];
  std::optional<wait> frame;
  unsigned ends = 0;

  void before() {
    model::kernel::boot();
    frame.emplace();
    frame->slot(RL_INFO) = 0;
    for (unsigned i = 0; i < Wakers; ++i) {
      wait_node& node = frame->nodes[i].emplace(frame->self, i + 1);
      node.alone = nodes_say_alone;
      objects[i].waiters.push_back(node);
    }
  }

  void thread(unsigned index) { index == 0 ? wait_for_one() : end_wait(index); }

  void wait_for_one() {
    const waiter::outcome how =
        frame->self.wait_until(Timed ? time_point{} + std::chrono::seconds(1) : time_point::max(), {});
    if (how == waiter::timed_out) {
      ++ends;
    } else {
      RL_ASSERT(frame->slot(RL_INFO) == how);
    }
    for (unsigned i = 0; i < Wakers; ++i) {
      if (how == i + 1) continue;
      const std::lock_guard guard(objects[i].mu);
      if (frame->nodes[i]->linked()) wait_queue::erase(*frame->nodes[i]);
    }
    frame.reset();
  }

  void end_wait(unsigned index) {
    object& from = objects[index - 1];
    from.waker_is_here(RL_INFO) = true;
    waiter* claimed = nullptr;
    {
      const std::lock_guard guard(from.mu);
      wait_node* node = from.waiters.pop_front();
      if (node != nullptr && node->try_claim()) {
        claimed = node->owner;
        frame->slot(RL_INFO) = index;
      } else if (node != nullptr && Wakers == 2 && !Timed) {
        RL_ASSERT(objects[2 - index].waker_is_here(RL_INFO));  // lost to the other, and knows what it did
      }
    }
    if (claimed == nullptr) return;
    ++ends;
    claimed->wake(nullptr);
    RL_ASSERT(thread_census::blocked.load() <= 0);  // it is about to run: the detector must not count on it
  }

  void after() { RL_ASSERT(ends == 1); }
};

}  // namespace

int main(int argc, char** argv) {
  using model::holds_always;
  using model::holds_at_random;
  nodes_say_alone = argc > 1 && std::string_view(argv[1]) == "--two-alone";
  bool good = holds_always<waiter_and_wakers<1, false>>("waiter and 1 waker");
  good = holds_always<waiter_and_wakers<1, true>>("waiter with a deadline and 1 waker") && good;
  good = holds_always<waiter_and_wakers<2, false>>("waiter and 2 wakers") && good;
  good = holds_always<waiter_and_wakers<2, true>>("waiter with a deadline and 2 wakers") && good;
  good = holds_at_random<waiter_and_wakers<2, true>>("waiter with a deadline and 2 wakers") && good;
  return good ? 0 : 1;
}
