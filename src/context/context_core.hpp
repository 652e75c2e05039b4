// A node of the tree of contexts that can be done. Handles, children and whoever cancels it hold references to a node;
// a node holds its parent by a reference and its children by plain links.
//
//   I1 done turns true once, under lock, after err and cause have been written; then they are constant.
//   I2 while lock is free and done is true: children, waiters and after_funcs are empty, and every descendant is done.
//   I3 a node is in its parent's list from its registration until it has become done or its last reference has gone.
//
// Lock order: a parent's lock before its child's; a cancellation holds those of the whole path it is on (as Go does),
// so that who finds a node done and takes its lock knows I2. Inside: those that waiter::wake takes. Nothing is spawned,
// called back or destroyed under a node's lock; all of them are taken with thread_guard (its file says why).
#pragma once

#include "spin_on_thread.hpp"

#include <spool/base/clock.hpp>
#include <spool/base/error.hpp>
#include <spool/base/intrusive_list.hpp>
#include <spool/context/context.hpp>
#include <spool/runtime/detail/waiter.hpp>

#include <atomic>
#include <memory>
#include <stop_token>

namespace spool::detail {

class runtime_tie;
class task;

/// A function that waits for a context. Who turns `waiting` into something else owns the task.
class after_func_entry : public list_hook {
 public:
  after_func_entry(std::shared_ptr<runtime_tie> runtime, task* f) noexcept;
  ~after_func_entry();

  /// True for exactly one caller.
  bool take() noexcept { return waiting_.exchange(false, std::memory_order_acq_rel); }
  /// By the taker: start the fiber, or drop f.
  void start() noexcept;
  void drop() noexcept;

  std::shared_ptr<after_func_entry> self;  // set while in a list; guarded by the node's lock

 private:
  std::atomic<bool> waiting_{true};
  std::shared_ptr<runtime_tie> runtime_;
  task* f_;
};

class context_core : public cancel_node, public list_hook {
 public:
  explicit context_core(context_core* parent) noexcept
      : deadline_(parent == nullptr ? time_point::max() : parent->deadline_), parent_(parent) {}
  context_core(const context_core&) = delete;
  context_core& operator=(const context_core&) = delete;

  /// Enters the parent's list, or takes over the end of a parent that is done. Once, before the first handle is given
  /// out.
  void follow_parent() noexcept;

  /// Makes this node and all below it done, this one with `err` and `cause`, unless it is already. On return I2 holds.
  void cancel(errc err, const error& cause) noexcept;

  /// What an owner's cancel does: cancel, then whatever ends with the owner's interest.
  void cancel_by_owner(const error& cause) noexcept {
    cancel(errc::canceled, cause);
    owner_left();
  }

  /// One more reference, unless the last one has gone.
  bool try_add_ref() noexcept;

  bool is_done() const noexcept { return done.load(std::memory_order_acquire); }
  errc err() const noexcept { return err_; }              // once done
  const error& cause() const noexcept { return cause_; }  // once done
  time_point deadline() const noexcept { return deadline_; }

  bool add_waiter(wait_node& node) noexcept;  // false: it is done
  void remove_waiter(wait_node& node) noexcept;
  bool add_after_func(std::shared_ptr<after_func_entry> entry) noexcept;  // false: it is done
  void remove_after_func(after_func_entry& entry) noexcept;
  std::stop_token stop_token();

 protected:
  virtual ~context_core();
  time_point deadline_;

 private:
  friend void destroy_unreferenced(cancel_node* node) noexcept;
  struct walk;

  /// Once, after it has become done, without a lock.
  virtual void ended() noexcept {}
  /// After a cancellation by the owner, each time, without a lock.
  virtual void owner_left() noexcept {}

  void wake_and_unlock() noexcept;
  void leave_parent() noexcept;
  void finish() noexcept;

  boost::intrusive_ptr<context_core> parent_;
  spin_lock lock_;
  // Whoever makes the node done sets it, after the node has left its parent's list: nobody finds it there any more.
  bool left_parent_ = false;
  errc err_{};  // guarded by lock_, as all below
  error cause_;
  intrusive_list<context_core> children_;
  wait_queue waiters_;
  intrusive_list<after_func_entry> after_funcs_;
  std::stop_source stop_{std::nostopstate};
  context_core* visited_next_ = nullptr;  // of the walk that made it done
};

inline context_core* core_of(const context& ctx) noexcept {
  return static_cast<context_core*>(context_access::node(ctx));
}

/// parent with `core`, a new child of parent's node, in its place.
context adopt(const context& parent, boost::intrusive_ptr<context_core> core) noexcept;

}  // namespace spool::detail
