// What a pipeline's stages share: its context, its first error, its fibers, and the channels that it closes.
//
// Workers wait in plain sends and receives, which cost no registration with a context. So that nobody is left waiting,
// the core closes channels instead:
//   - when the context is done, every channel that a stage sends to or receives from;
//   - when the last stage that reads a channel has ended before that channel did (its own output was dropped), that channel;
//   - when the last stage that writes dead letters to a channel has ended, that channel.
// The last two only from wait() on: until then another stage may be added that uses the same channel.
// Channels are added until wait() or the end of the context, whichever is first; from then on the list does not change
// and is walked without the lock. Channels are closed without it, too: close() wakes.
#pragma once

#include <spool/channel/detail/channel_base.hpp>
#include <spool/context/after_func.hpp>
#include <spool/context/cancel_scope.hpp>
#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/task.hpp>
#include <spool/sync/wait_group.hpp>

#include <cstddef>
#include <list>
#include <string>

namespace spool::detail {

class pipeline_core {
 public:
  /// What a stage does with a channel that it was given.
  enum class use { makes, reads, writes };

  /// On a plain thread: std::logic_error.
  pipeline_core(const context& parent, std::string name);
  ~pipeline_core();
  pipeline_core(const pipeline_core&) = delete;
  pipeline_core& operator=(const pipeline_core&) = delete;

  const context& ctx() const noexcept { return scope_.ctx(); }
  const std::string& name() const noexcept { return name_; }

  /// Before a stage is added. After wait: std::logic_error.
  void check_open(const char* operation, const std::string& stage);
  /// Bad: std::invalid_argument.
  static void check_workers(std::size_t workers, const std::string& stage);
  static void check_capacity(std::size_t capacity, const std::string& stage);

  void add(channel_base& ch, use how);
  /// The reader or writer has ended.
  void remove(channel_base& ch, use how) noexcept;
  /// Whether values left in the channel by a cancellation are the pipeline's to drop.
  bool made(channel_base& ch) noexcept;

  /// The first one counts and cancels the context; if that is done already, its error counts.
  void fail(error reason) noexcept;

  void add_fibers(std::size_t n) { fibers_.add(static_cast<std::ptrdiff_t>(n)); }
  /// The last thing that a fiber does here.
  void fiber_ended() noexcept { fibers_.done(); }
  void start(task* t) noexcept { spawn(*scheduler_, t); }

  error wait();
  void cancel() noexcept { scope_.cancel(); }

 private:
  struct entry {
    channel_handle channel;
    bool made = false;
    bool was_read = false;
    bool was_written = false;
    std::size_t readers = 0;
    std::size_t writers = 0;

    bool used_up() const noexcept { return (was_read && readers == 0) || (was_written && writers == 0); }
    void apply(use how) noexcept;
  };
  class closer;  // closes every channel when the context is done

  entry* find(channel_base& ch) noexcept;
  void close_all() noexcept;
  template <class Condition>
  void close_where(Condition condition) noexcept;
  void end() noexcept;

  scheduler* const scheduler_;
  const std::string name_;
  const cancel_scope scope_;
  wait_group fibers_;
  wait_group closer_;  // 1 until the closer has run or was stopped

  spin_lock lock_;  // guards what follows
  std::list<entry> channels_;
  bool frozen_ = false;  // channels_ keeps its members
  bool waiting_ = false;
  error first_;

  after_func_stop stop_closer_;
};

/// "pipeline/stage" for the calling fiber, in reports.
void name_stage_fiber(const pipeline_core& core, const std::string& stage);

}  // namespace spool::detail
