// A channel as it ships, under Relacy: spool_relacy_channel [--relaxed-unlock]
//
// Plain threads send and receive, waiting and trying by turns, and the last sender closes: every message arrives once,
// those of a sender in their order, and what was sent is seen by who receives it. A close while a sender waits leaves
// neither a message nor a thread behind. A channel ends once, with its last handle or the last case that holds it. Tried
// are all schedules with at most two switches that are not forced, and random ones; a million of these with SPOOL_TEST_LONG=1. Shipped are the channel, its lock and how a plain thread
// waits; the futex is the model's. Select, deadlines and contexts are not tried, and Relacy sees the messages, not the
// other plain fields. --relaxed-unlock plants a bug: the lock's release is a relaxed store.
#include "model_run.hpp"

#include "runtime/plain_threads.cpp"

#include <spool/base/clock.hpp>
#include <spool/context/context.hpp>

#include <cstring>
#include <string_view>

#include "model_fence.hpp"

namespace model_std {
inline memory_order order_of_unlock = memory_order_release;
}
namespace spool::detail {
namespace std = ::model_std;
}
#define memory_order_release order_of_unlock
#include <spool/runtime/detail/biased_lock.hpp>
#undef memory_order_release

#include "model_kernel.hpp"
#include "model_pause.hpp"

#include "runtime/biased_lock.cpp"
#include "runtime/spin_lock.cpp"

#undef cpu_pause
#define cpu_pause look_again_in_model  // before a thread sleeps
#include "runtime/waiter.cpp"

#include <spool/channel/detail/channel_core.hpp>
#include <spool/context/detail/done_hook.hpp>

#define static_assert(...) static_assert(true)  // Relacy's atomics are larger
#include "channel/channel_base.cpp"
#undef static_assert

namespace spool::detail {

// Everybody is a plain thread here, and nobody has a deadline or a context.
worker* current_worker() noexcept { return nullptr; }
fiber* current_fiber() noexcept { return nullptr; }
caller spend_budget() noexcept { return {nullptr, 0}; }
bias_id current_bias_id() noexcept { return 0; }
bool may_take_bias(bias_id) noexcept { return false; }
void note_withdrawal(bias_id) noexcept { RL_ASSERT(false); }
void worker::meet_contention(contention_mark&) noexcept {}
void fiber::park(waiter&, wait_site) noexcept { RL_ASSERT(false); }
void park(fiber&, waiter&, biased_lock&, wait_site) noexcept { RL_ASSERT(false); }
void unpark(fiber&, fiber*) noexcept { RL_ASSERT(false); }
void arm_timer(timer_node&, time_point) { RL_ASSERT(false); }
bool cancel_timer(timer_node&) noexcept { return false; }
void done_hook::enlist() noexcept { RL_ASSERT(false); }
void done_hook::withdraw() noexcept { RL_ASSERT(false); }
void destroy_unreferenced(cancel_node*) noexcept { RL_ASSERT(false); }

}  // namespace spool::detail
void spool::this_fiber::yield() { rl::yield(1, RL_INFO); }
spool::error spool::context::err() const { std::abort(); }

namespace {

using spool::channel_status;
using spool::detail::channel_side;

/// Relacy watches every move.
class message {
 public:
  message(unsigned sender, unsigned number) { set(sender * 10 + number); }
  message(message&& other) noexcept { set(other.value_(RL_INFO)); }
  message& operator=(message&& other) noexcept {
    set(other.value_(RL_INFO));
    return *this;
  }
  unsigned sender() const { return value_(RL_INFO) / 10; }
  unsigned number() const { return value_(RL_INFO) % 10; }

 private:
  void set(unsigned value) { value_(RL_INFO) = value; }
  rl::var<unsigned> value_;
};

using channel = spool::detail::channel_core<message>;

/// Senders send two messages each, the first waiting for room, the second trying; thread 0 receives until closed.
template <unsigned Senders, unsigned Capacity>
struct senders_and_receiver : rl::test_suite<senders_and_receiver<Senders, Capacity>, static_cast<int>(1 + Senders)> {
  channel* ch;
  unsigned received[Senders] = {};

  void before() {
    model::kernel::boot();
    ch = channel::make(Capacity);
    for (unsigned i = 0; i < Senders; ++i) ch->join(channel_side::send);
  }
  void thread(unsigned index) { index == 0 ? receive() : send(index - 1); }

  void send(unsigned me) {
    message first(me, 1);
    RL_ASSERT(ch->send(first) == channel_status::ok);
    message second(me, 2);
    channel_status how;
    while ((how = ch->try_send(second)) == channel_status::full) rl::yield(1, RL_INFO);
    RL_ASSERT(how == channel_status::ok);
    ch->leave(channel_side::send);
  }

  void receive() {
    for (bool waiting = true;; waiting = !waiting) {
      std::optional<message> got;
      const channel_status how = waiting ? ch->recv(got) : ch->try_recv(got);
      if (how == channel_status::closed) break;
      if (how != channel_status::ok) continue;
      RL_ASSERT(got->number() == received[got->sender()] + 1);
      ++received[got->sender()];
    }
  }

  void after() {
    for (const unsigned count : received) RL_ASSERT(count == 2);
    ch->release();
  }
};

/// A sender sends until closed, by a receiver that had enough.
template <unsigned Capacity>
struct close_while_sending : rl::test_suite<close_while_sending<Capacity>, 2> {
  channel* ch;
  unsigned sent = 0;
  unsigned received = 0;

  void before() {
    model::kernel::boot();
    ch = channel::make(Capacity);
  }
  void thread(unsigned index) { index == 0 ? receive() : send(); }

  void send() {
    for (message next(0, 1);; next = message(0, sent + 1)) {
      if (ch->send(next) != channel_status::ok) return;
      ++sent;
    }
  }
  void receive() {
    std::optional<message> got;
    RL_ASSERT(ch->recv(got) == channel_status::ok);
    received = got->number();
    RL_ASSERT(received == 1);
    RL_ASSERT(ch->close());
  }

  void after() {
    std::optional<message> got;
    while (ch->try_recv(got) == channel_status::ok) RL_ASSERT(got->number() == ++received);
    RL_ASSERT(received == sent);
    ch->release();
  }
};

/// A channel with a message, in its ring or with a waiting sender, is closed and emptied: never empty while open.
template <unsigned Capacity>
struct closed_then_emptied : rl::test_suite<closed_then_emptied<Capacity>, 3> {
  channel* ch;
  unsigned sent = 0;
  unsigned received = 0;

  void before() {
    model::kernel::boot();
    ch = channel::make(Capacity);
  }
  void thread(unsigned index) {
    if (index == 0) return send();
    while (ch->size() == 0 && ch->queue(channel_side::send).empty()) {
      if (ch->closed() || received != 0) return;  // came too late to see the message
      rl::yield(1, RL_INFO);
    }
    if (index == 1) ch->close();
    std::optional<message> got;
    const channel_status how = index == 1 ? ch->recv(got) : ch->try_recv(got);
    RL_ASSERT(how != channel_status::empty);
    if (how == channel_status::ok) ++received;
  }
  void send() {
    message only(0, 1);
    if (ch->send(only) == channel_status::ok) ++sent;
  }
  void after() {
    RL_ASSERT(received == sent);
    ch->release();
  }
};

/// Tells that it has ended.
class witness {
 public:
  explicit witness(unsigned& ends) : ends_(&ends) {}
  witness(witness&& other) noexcept : ends_(std::exchange(other.ends_, nullptr)) {}
  witness& operator=(witness&&) = delete;
  ~witness() {
    if (ends_ != nullptr) ++*ends_;
  }

 private:
  unsigned* ends_;
};

/// Each thread's case holds the channel, and its handle goes before the case does, or after it.
template <unsigned Threads>
struct cases_outlive_handles : rl::test_suite<cases_outlive_handles<Threads>, static_cast<int>(Threads)> {
  spool::detail::channel_core<witness>* ch;
  unsigned ends = 0;

  void before() {
    model::kernel::boot();
    ch = spool::detail::channel_core<witness>::make(1);
    for (unsigned i = 1; i < Threads; ++i) ch->retain();
    witness only(ends);
    RL_ASSERT(ch->try_send(only) == channel_status::ok);
  }
  void thread(unsigned index) {
    ch->hold();
    if (index == 0) {
      ch->let_go();
      ch->release();
    } else {
      ch->release();
      ch->let_go();
    }
  }
  void after() { RL_ASSERT(ends == 1); }
};

}  // namespace

int main(int argc, char** argv) {
  using model::holds_always;
  using model::holds_at_random;
  const std::string_view argument = argc > 1 ? argv[1] : "";
  if (argument == "--relaxed-unlock") model_std::order_of_unlock = std::memory_order_relaxed;
  bool good = true;
  good = holds_always<senders_and_receiver<1, 0>>("1 sender, rendezvous") && good;
  good = holds_always<senders_and_receiver<1, 1>>("1 sender, room for 1") && good;
  good = holds_always<cases_outlive_handles<2>>("2 cases that outlive handles") && good;
  good = holds_at_random<cases_outlive_handles<3>>("3 cases that outlive handles") && good;
  good = holds_always<close_while_sending<0>>("close of a rendezvous") && good;
  good = holds_always<close_while_sending<1>>("close with room for 1") && good;
  good = holds_always<closed_then_emptied<0>>("closed with a sender, emptied") && good;
  good = holds_always<closed_then_emptied<1>>("closed with a message, emptied") && good;
  good = holds_at_random<senders_and_receiver<2, 0>>("2 senders, rendezvous") && good;
  good = holds_at_random<senders_and_receiver<2, 1>>("2 senders, room for 1") && good;
  return good ? 0 : 1;
}
