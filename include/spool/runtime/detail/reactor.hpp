// The idle path's side of a reactor: what waits for I/O on behalf of a runtime. One worker at a time is inside poll() or
// wait_until(); an idle one waits there instead of sleeping, busy ones poll now and then. What a reactor calls back runs on
// the worker's own stack and never waits: it wakes fibers.
#pragma once

#include <spool/base/clock.hpp>

#include <memory>

namespace spool::detail {

class scheduler;

class reactor {
 public:
  reactor() = default;
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;
  virtual ~reactor() = default;

  /// Serves what is ready. False: nothing was.
  virtual bool poll() noexcept = 0;
  /// Waits until something was served, `deadline` has passed or interrupt() is called. May return early.
  virtual void wait_until(time_point deadline) noexcept = 0;
  /// From any thread: ends a wait, the next one if none is under way.
  virtual void interrupt() noexcept = 0;
  /// True: no operation is under way that could complete. The detector asks.
  virtual bool quiet() const noexcept = 0;
};

/// The reactor of `s`, made by `make` at the first call; it lives as long as the runtime. Thread safe.
reactor& attach_reactor(scheduler& s, std::unique_ptr<reactor> (*make)());

}  // namespace spool::detail
