// A fiber's control block. Two kinds: runners, spool's own, which live at the top of their stack and run one task after
// another; and guests, boost::fibers::fiber objects that a user started on one of our fibers.
//
// state_ is the handshake of park and unpark. The fiber registers its waiter while `running`, switches away, and the next
// fiber publishes it: running -> parked. Whoever wakes it exchanges `notified` in. If the publisher finds `notified`, or
// the waker finds `parked`, that one alone makes the fiber ready. Both exchanges are acq_rel: what the waker wrote is
// seen by the fiber, and the fiber's saved registers by whoever resumes it. A waker that reads `parked` need not exchange.
// A wait that only the holder of one lock can end is published without an exchange: that lock is released when the fiber
// is off its stack, so whoever wakes it finds `parked`.
#pragma once

#include "exception_state.hpp"
#include "stack_depot.hpp"

#include <spool/base/intrusive_list.hpp>
#include <spool/runtime/detail/fiber_local.hpp>
#include <spool/runtime/detail/task.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <boost/fiber/context.hpp>
#include <boost/fiber/properties.hpp>

#include <atomic>
#include <cstdint>
#include <string>

namespace spool::detail {

class scheduler;
class worker;

/// What switches, waits and wake-ups touch: with its bases the first two lines of a runner's control block. Of a thousand
/// fibers that take turns, each line more is a miss more.
struct fiber_head : runnable, boost::fibers::fiber_properties {
  enum state : std::uint32_t { running, notified, parked };

  fiber_head(scheduler& s, boost::fibers::context* ctx, bool is_guest) noexcept
      : runnable(kind::fiber), fiber_properties(ctx), owner(s), guest(is_guest) {}

  scheduler& owner;
  worker* on = nullptr;          // that runs it, or did last; asked after a wait instead of the thread. Null: its context
                                 // names no scheduler of Boost's
  worker* pinned_to = nullptr;
  exception_state exceptions;
  std::atomic<std::uint32_t> state_{running};
  const bool guest;
  bool inside_boost = false;     // goes on in Boost's code when resumed
  bool linked_in_boost = false;  // a runner that Boost has in its list; a guest is there whenever it runs

  // What reports show. Written by the fiber, read by reporters at any time: hence atomics, relaxed.
  std::atomic<std::uint32_t> wait_since{0};  // by coarse_clock; two waits of one fiber differ in it if a tick lies between
  std::atomic<const char*> wait_what{nullptr};
  std::atomic<const void*> wait_object{nullptr};
  std::atomic<waiter*> waiting{nullptr};
};

class fiber : public fiber_head, public list_hook {
 public:
  /// The runner whose stack this is, if one was made on it.
  static fiber* runner_on(const stack_memory& stack) noexcept;
  /// A runner that is not yet started, on a stack from the owner's depot.
  static fiber* make_runner(scheduler& owner, stack_memory stack) noexcept;
  ~fiber() override;

  // Boost deletes the properties of a context when it destroys it; a runner's memory is part of its stack.
  static void operator delete(void*) noexcept {}
  static void* operator new(std::size_t, void* at) noexcept { return at; }

  /// On this fiber: waits until it is unparked.
  void park(waiter& w, wait_site site) noexcept;

  boost::fibers::context* context() const noexcept { return ctx_; }

  // Touched by the worker that runs the fiber, and at the hand-over between two workers.
  task* job = nullptr;           // a runner's next task; null when resumed: end
  unsigned pins = 0;
  stack_memory stack;

  // What reports show, as in the head.
  std::atomic<const task*> at_work{nullptr};  // on this task; null: waits for one. Stored with release: who finds it knows `stack`
  bool busy() const noexcept { return guest || at_work.load(std::memory_order_acquire) != nullptr; }
  std::atomic<bool> in_boost{false};      // waits in a primitive of Boost.Fiber
  std::atomic<const char*> start_file{""};
  std::atomic<std::uint32_t> start_line{0};
  std::atomic<std::uint64_t> id{0};       // given out when first asked for
  std::string* name = nullptr;            // guarded by the scheduler's registry lock
  void* slots[fiber_slots] = {};

  std::uint64_t ensure_id() noexcept;

 protected:
  fiber(scheduler& s, boost::fibers::context* ctx, bool is_guest) noexcept;

 private:
  friend class worker;
  friend void park(fiber& f, waiter& w, biased_lock& held, wait_site site) noexcept;
  friend void unpark(fiber& f, fiber* waker) noexcept;
  void begin_wait(waiter& w, wait_site site) noexcept;
  void end_wait() noexcept;
  void run_tasks();
  void execute(task& t);
  void end_task() noexcept;
};

/// A boost::fibers::fiber on one of our workers. It waits, migrates and counts as live like any fiber.
class guest_fiber final : public fiber {
 public:
  guest_fiber(scheduler& s, boost::fibers::context* ctx) noexcept;
  ~guest_fiber() override;
  static void* operator new(std::size_t bytes) { return ::operator new(bytes); }
  static void operator delete(void* p) noexcept { ::operator delete(p); }
};

}  // namespace spool::detail
