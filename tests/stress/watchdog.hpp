// Who waits, for what, and whether that is there: what tells a lost wake-up from a long wait.
#pragma once

#include <spool/base/intrusive_list.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace spool::detail {
class fiber;
}

namespace stress {

using time_point = std::chrono::steady_clock::time_point;

/// Says what a wait is for, if that is there, else an empty text. Called by the watchdog, while the wait goes on.
using there_fn = std::function<std::string()>;

/// A fiber or a plain thread whose waits the watchdog sees.
class activity : public spool::detail::list_hook {
 public:
  explicit activity(std::string name);
  ~activity();
  activity(const activity&) = delete;
  activity& operator=(const activity&) = delete;

  /// Returns what `wait`, an operation that may wait, returns. `what` names it.
  template <class F>
  auto waits(const char* what, there_fn there, F&& wait) {
    const marked m(*this, what, std::move(there), false);
    return wait();
  }
  /// The same for a wait that may last.
  template <class F>
  auto rests(const char* what, there_fn there, F&& wait) {
    const marked m(*this, what, std::move(there), true);
    return wait();
  }

  /// Started, but not yet running: what it waits for is a worker.
  void starts();
  /// By itself, first of all.
  void runs();

 private:
  friend class watchdog;
  struct marked {
    marked(activity& a, const char* what, there_fn there, bool may_last) : owner(a) {
      owner.begin(what, std::move(there), may_last);
    }
    ~marked() { owner.end(); }
    activity& owner;
  };
  void begin(const char* what, there_fn there, bool may_last);
  void end();

  const std::string name_;
  std::mutex mu_;                                // guards the rest
  const spool::detail::fiber* fiber_ = nullptr;  // null: a plain thread
  const char* what_ = nullptr;                   // null: does not wait
  there_fn there_;
  bool may_last_ = false;
  time_point since_;
  time_point there_since_;  // first seen to be there, or its fiber to have been called; max: it was not
};

/// A thread that looks at every activity now and then. Who still waits when what it waits for has been there for longer
/// than the patience has lost a wake-up. Then, or when somebody waits for ten times as long without a reason to be
/// seen, it tells who waits for what and ends the process with status 1: what was lost cannot be found again.
class watchdog {
 public:
  explicit watchdog(std::chrono::nanoseconds patience);
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

 private:
  /// A line for each; empty: nobody.
  std::string stuck() const;
  /// Empty: it may go on waiting.
  std::string lost(activity& a, time_point now) const;

  const std::chrono::nanoseconds patience_;
  std::jthread thread_;
};

}  // namespace stress
