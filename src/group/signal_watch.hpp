// signal_watch: the one place of the process that takes signals for contexts.
//
// A handler only notes the signal and posts to a semaphore; a thread of ours waits for it and cancels. The thread
// exists while somebody watches; the semaphore stays for ever: a handler may be about to post to it at any time.
// Lock order: mu_ is a leaf but for the counts of outside sources; nothing is cancelled, joined or called back under
// it, except that a thread that has said its last word is joined.
#pragma once

#include <spool/base/error.hpp>
#include <spool/base/intrusive_list.hpp>

#include <array>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <span>
#include <thread>

namespace spool::detail {

/// The cause of what a signal cancels: errc::canceled, "signal: interrupt".
error signal_error(int signal);

/// Who wants to hear of signals. All calls of signal_came come from the watch's thread.
class signal_listener : public list_hook {
 public:
  /// Under the watch's lock: false when the listener is about to go. What is acquired stays until signal_came returned.
  virtual bool acquire() noexcept = 0;
  /// Without a lock; releases.
  virtual void signal_came(int signal) noexcept = 0;

 protected:
  ~signal_listener() = default;

 private:
  friend class signal_watch;
  sigset_t wanted_{};
  signal_listener* next_called_ = nullptr;  // of the watch's thread
  int signal_ = 0;                          // the one it is called for
};

class signal_watch {
 public:
  static signal_watch& instance();

  /// Throws std::invalid_argument for a signal that cannot be caught, std::system_error when there is no thread to be
  /// had; nothing has changed then.
  void add(signal_listener& listener, std::span<const int> signals);
  /// After it no acquire comes; signal handling is as it was when the signal's last listener has gone. Again: nothing.
  void remove(signal_listener& listener) noexcept;

 private:
  static constexpr int signal_limit = 65;

  struct handling {
    int listeners = 0;
    struct sigaction before {};
  };

  void install(int signal);
  void restore(int signal) noexcept;
  void start_thread();
  void stop_thread(std::unique_lock<std::mutex>& lock) noexcept;
  void listen() noexcept;
  void deliver(std::unique_lock<std::mutex>& lock) noexcept;
  void release_signals(const sigset_t& signals, int before) noexcept;

  std::mutex mu_;  // guards all below
  std::array<handling, signal_limit> handling_{};
  intrusive_list<signal_listener> listeners_;
  std::thread thread_;
  bool running_ = false;     // thread_ has not said its last word
  bool delivering_ = false;  // thread_ is calling listeners
  int joiners_ = 0;          // who wait for thread_ to end; without any it detaches itself
  std::condition_variable ended_;
};

}  // namespace spool::detail
