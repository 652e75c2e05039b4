// fiber_executor: runs what Asio hands it as fibers.
#pragma once

#include <spool/net/io_context.hpp>
#include <spool/runtime/runtime.hpp>

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>

#include <utility>

namespace spool {

/// An Asio executor whose functions each run as a fiber of a runtime, so they may wait: for handlers on the runtime's
/// own io_context (`timer.async_wait(asio::bind_executor(fiber_executor(), f))`) and for `asio::post(fiber_executor(),
/// f)`. Copies are equal and cheap; any thread may use them while the runtime lives. An exception that leaves a
/// function ends the process, as with go.
class fiber_executor {
 public:
  /// Of the calling fiber's runtime. On a plain thread: std::logic_error.
  fiber_executor() : fiber_executor(*require_runtime()) {}
  explicit fiber_executor(runtime& rt) : runtime_(&rt), context_(&spool::io_context(rt)) {}

  template <class F>
  void execute(F&& f) const {
    runtime_->go(std::forward<F>(f));
  }

  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept { return *context_; }
  static constexpr boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  friend bool operator==(const fiber_executor&, const fiber_executor&) noexcept = default;

 private:
  static runtime* require_runtime();
  runtime* runtime_;
  boost::asio::execution_context* context_;
};

}  // namespace spool
