// Lets a test wait until so many fibers or threads are parked on a channel, which nothing public announces.
#pragma once

#include "support/runtimes.hpp"

namespace spool_test {

template <class Channel>
std::size_t waiting(const Channel& ch, spool::detail::channel_side side) {
  return spool::detail::handle_access::base(ch, "waiting")->queue(side).size();
}

template <class Channel>
void await_receivers(const Channel& ch, std::size_t n) {
  wait_until([&] { return waiting(ch, spool::detail::channel_side::recv) == n; });
}

template <class Channel>
void await_senders(const Channel& ch, std::size_t n) {
  wait_until([&] { return waiting(ch, spool::detail::channel_side::send) == n; });
}

/// A message that can do nothing but move.
struct only_movable {
  explicit only_movable(int v) : value(v) {}
  only_movable(only_movable&& other) noexcept : value(std::exchange(other.value, -1)) {}
  only_movable& operator=(only_movable&&) = delete;
  int value;  // -1: moved from
};

}  // namespace spool_test
