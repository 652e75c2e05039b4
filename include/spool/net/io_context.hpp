// io_context: the Boost.Asio execution context that a runtime owns and serves.
#pragma once

#include <spool/runtime/runtime.hpp>

#include <boost/asio/io_context.hpp>

namespace spool {

/// The io_context of the calling fiber's runtime, made at the first call; it lives as long as the runtime, and so must
/// every object made with it live shorter. There is no thread to start: an idle worker waits in it, busy ones look into
/// it every few microseconds. Its handlers run one at a time, as on a strand, on a worker's own stack: they must not
/// wait for anything (`boost::asio::bind_executor(fiber_executor(), handler)` makes a fiber of one). Do not call its
/// run, poll or stop. On a plain thread: std::logic_error. Go: the runtime's network poller.
boost::asio::io_context& io_context();

/// The same of `rt`; from any thread.
boost::asio::io_context& io_context(runtime& rt);

}  // namespace spool
