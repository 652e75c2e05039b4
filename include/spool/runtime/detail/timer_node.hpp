// Timers as the layers above use them. A node is armed on the current worker's queue, or, on a plain thread, on a
// process-wide timer thread that lives only while such timers exist. Timers outlive the runtime that armed them.
#pragma once

#include <spool/base/clock.hpp>

#include <cstddef>

namespace spool::detail {

class timer_queue;

struct timer_node {
  /// `locked`: `fire` runs under the queue's lock, so once cancel_timer has returned it is not running and never will;
  /// it may claim and wake waiters, nothing more, and take a lock for that which nobody has while he arms or cancels a timer or
  /// leaves his thread. `unlocked`: it runs after the node has left the queue, without a lock, and may do anything that does
  /// not wait; the node must stay alive by itself (a reference count) until then.
  enum class mode : bool { locked, unlocked };
  /// `from` is the queue that fires. Null, for `unlocked` only: the bubble whose clock it waited for has ended; it does
  /// nothing but give back what it holds.
  using fire_fn = void (*)(timer_node&, timer_queue* from) noexcept;

  timer_node(fire_fn f, mode m) noexcept : fire(f), run(m) {}
  timer_node(const timer_node&) = delete;
  timer_node& operator=(const timer_node&) = delete;

  time_point when{};
  fire_fn fire;
  mode run;
  timer_queue* queue = nullptr;  // where it was armed last; kept after it fired
  std::size_t index = 0;         // place in that queue's heap; guarded by its lock
};

/// Arms `node` for `when`; the node must not be armed. Never waits. Throws, and it is not armed, for
/// want of memory or, on a plain thread, of a thread that serves it.
void arm_timer(timer_node& node, time_point when);

/// Of a firing, in the queue that fires, whose thread is there or is woken. Without memory, which that queue has just had for
/// a node, it waits until there is some, as nobody can be told.
void arm_timer_again(timer_node& node, timer_queue& from, time_point when) noexcept;

/// True: the node was armed and will not fire. False: it has fired (mode unlocked: or is about to run), its bubble has
/// ended, or it was not armed.
bool cancel_timer(timer_node& node) noexcept;

}  // namespace spool::detail
