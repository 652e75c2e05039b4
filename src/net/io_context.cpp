#include <spool/net/io_context.hpp>

#include "asio_reactor.hpp"

#include <spool/runtime/detail/task.hpp>

namespace spool {
namespace detail {
namespace {

boost::asio::io_context& io_of(scheduler& s) {
  const auto make = []() -> std::unique_ptr<reactor> { return std::make_unique<asio_reactor>(); };
  return static_cast<asio_reactor&>(attach_reactor(s, make)).io();
}

}  // namespace
}  // namespace detail

boost::asio::io_context& io_context() {
  return detail::io_of(detail::require_scheduler("spool::io_context"));
}

boost::asio::io_context& io_context(runtime& rt) {
  return detail::io_of(core_of(rt));
}

}  // namespace spool
