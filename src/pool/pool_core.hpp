// The engine of worker_pool; it knows jobs, slots and fibers, not closures.
//
// A slot is the right to execute a job; there are workers_ of them. An executor is a fiber of the pool: it runs queued
// jobs until there is none, then ends. An executor holds a slot from the moment it is asked for until it finds nothing
// to do, except while its job waits for the pool itself: then the slot is lent.
//
// The queue has two ends, and a lock for each, so that who submits and who executes do not share a cache line per job. Jobs
// arrive in arrivals_, under entry_mu_; executors take them from ready_, under slots_mu_, and when that is empty move all
// arrivals over. While both locks are free:
//   I1 busy_ <= executors_ <= live_; executors_ <= workers_ except after a resize to fewer, until jobs end
//   I2 a queued job has an executor that is on its way to it, or no slot is free:
//      executors_ - busy_ >= queued() or executors_ >= workers_
//   I3 a returning job (it wants its slot back) implies executors_ >= workers_
//   I4 a waiting submitter implies that there is no room and that the pool is open, and submitters_wait_
//   I5 credit_ jobs may come in without a look at the slots: credit_ <= room(), 0 when closed
//   I6 a thread in to_wake_ implies submitters_wait_, an executor with a slot, and that wake_timer_ is armed, or is about to be by
//      an executor
// Room: a job is accepted while queued() < capacity_ + free slots, where a slot with no job in it counts as free. Taking
// a job off the queue therefore makes no room, ending or lending does.
//
// Lock order: slots_mu_, entry_mu_. Who has the first spins for the second on its thread: were its fiber to yield meanwhile, an
// I/O handler or a timer that submits a job on that very worker would spin for ever. Both are innermost: no user code,
// allocation, spawn or wake happens under them, nor is a timer armed: wake_timer_ takes entry_mu_ under the lock of its queue. What is
// to be done after them is gathered in `deeds`. Only who is counted in live_ may touch the pool without being inside one of its
// functions, and wake_timer_, which the destructor cancels; its last access is the unlock in next_or_leave(), after which a
// destructor may go on.
#pragma once

#include <spool/base/cache_line.hpp>
#include <spool/base/error.hpp>
#include <spool/context/cancel_scope.hpp>
#include <spool/pool/detail/pool_job.hpp>
#include <spool/pool/worker_pool.hpp>
#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/task.hpp>
#include <spool/runtime/detail/timer_node.hpp>
#include <spool/runtime/detail/waiter.hpp>
#include <spool/sync/detail/wait_limit.hpp>

#include "context/spin_on_thread.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace spool::detail {

class pool_core : public job_host {
 public:
  pool_core(scheduler& s, worker_pool_options options, start_site where);
  /// Closes and drains.
  ~pool_core();

  channel_status enqueue(pool_job& job, const context* ctx, bool may_wait);
  channel_status admission(const context* ctx, bool may_wait);
  void resize(std::size_t workers);
  void close() noexcept;
  error drain(const context& ctx);
  shutdown_report shutdown(const context& deadline);
  bool saturated() const noexcept;
  worker_pool_stats stats() const noexcept;

  /// wait_hook's two halves.
  static void* before_wait(void* pool) noexcept;
  static void after_wait(void* pool, void* token) noexcept;

 private:
  /// On the stack of an executor, found through its fiber slot: "the job that is running here, and its pool".
  struct executor {
    pool_core* pool;
    bool slot = true;
    unsigned lent = 0;  // waits that surround each other; the first lends, the last takes back
  };
  struct submitter;  // the place of who waits for room
  /// What has to happen once the locks are released.
  struct deeds {
    std::size_t spawns = 0;
    bool arms_wake_timer = false;
    wait_queue woken;
  };
  /// Whether threads that have waited for room may be woken later, together.
  enum class patience : bool { none, some };
  struct wake_timer : timer_node {
    explicit wake_timer(pool_core& owner) noexcept : timer_node(&fire, mode::locked), pool(owner) {}
    static void fire(timer_node& node, timer_queue*) noexcept { static_cast<wake_timer&>(node).pool.wake_threads(); }
    pool_core& pool;
  };

  executor* own_job() const noexcept;
  void require_not_own_job(const char* operation) const;

  // With both locks.
  std::size_t free_slots() const noexcept { return workers_ > busy_ ? workers_ - busy_ : 0; }
  std::uint64_t queued() const noexcept { return accepted_ - taken_.load(std::memory_order_relaxed); }
  std::size_t room() const noexcept;  // for so many jobs
  bool idle() const noexcept { return live_ == 0 && queued() == 0; }
  void push(pool_job& job) noexcept;
  void receive() noexcept;   // the arrivals, if nothing else is ready
  pool_job* take() noexcept;  // slots_mu_ is enough
  /// Restores I2, I3, I4 and I6 after slots or room came free.
  void serve(deeds& todo, patience with_threads = patience::none) noexcept;
  void ask_for_executors(deeds& todo) noexcept;
  void release_live(deeds& todo) noexcept;

  channel_status enqueue_slowly(pool_job& job, const context* ctx, bool may_wait) noexcept;
  void look_for_room(deeds& todo) noexcept;
  void start_executors(std::size_t count) noexcept;
  bool may_wake_later(bool new_batch, deeds& todo) noexcept;
  void arm_wake_timer() noexcept;
  void wake_threads() noexcept;
  void perform(deeds& todo) noexcept;                                        // without locks
  channel_status wait_for_room(pool_job& job, const context* ctx) noexcept;  // takes over both locks
  channel_status count_refusal(channel_status why) noexcept;
  error wait_until_idle(wait_limit limit) noexcept;
  void abandon_queued() noexcept;

  void execute() noexcept;                                            // the executor's fiber
  pool_job* after_job(executor& self, job_outcome outcome) noexcept;  // counts it; the next one, or null
  pool_job* next_or_leave(executor& self) noexcept;  // null: the executor has ended, hands off the pool
  void lend(executor& self) noexcept;
  void take_back(executor& self) noexcept;

  struct both_locks {
    const pool_core& pool;
    void lock() noexcept {
      pool.slots_mu_.lock();
      lock_on_thread(pool.entry_mu_);
    }
    void unlock() noexcept {
      pool.entry_mu_.unlock();
      pool.slots_mu_.unlock();
    }
  };

  scheduler& scheduler_;
  const start_site where_;
  const std::size_t capacity_;
  const cancel_scope scope_;  // owns pool_context

  // Written with both locks, read with either.
  alignas(cache_line_bytes) std::size_t workers_;
  std::size_t executors_ = 0;      // hold a slot, or were asked for with one
  bool submitters_wait_ = false;   // or are to be woken; may still say so after the last has given up

  alignas(cache_line_bytes) mutable spin_lock entry_mu_;
  // Guarded by entry_mu_.
  bool closed_ = false;
  unsigned looks_to_skip_ = 0;  // the last look for room was in vain
  std::size_t credit_ = 0;
  pool_job* arrivals_ = nullptr;
  pool_job* last_arrival_ = nullptr;
  std::uint64_t accepted_ = 0;
  wait_queue submitters_;    // wait for room
  std::size_t waiting_ = 0;  // submitters whose wait has not ended
  wait_queue to_wake_;       // plain threads whose jobs were accepted
  bool wake_timer_armed_ = false;
  time_point wake_by_{};     // those in to_wake_
  std::uint64_t rejected_ = 0;

  alignas(cache_line_bytes) mutable spin_lock slots_mu_;
  // Guarded by slots_mu_.
  pool_job* ready_ = nullptr;  // came before all arrivals
  std::atomic<std::uint64_t> taken_{0};  // read without a lock by look_for_room()
  std::size_t busy_ = 0;   // executors that have a job
  std::uint64_t ended_[3] = {0, 0, 0};  // by job_outcome
  wait_queue returning_;   // jobs that want their slot back
  wait_queue draining_;    // wait until idle()
  std::size_t live_ = 0;   // who still uses the pool: executors with or without a slot; shutdown; who looks for room
  std::uint64_t abandoned_ = 0;

  wake_timer wake_timer_{*this};
};

}  // namespace spool::detail
