// channel: a bounded queue between fibers and threads, or, with a capacity of 0, a meeting point. Go: chan T.
#pragma once

#include <spool/channel/detail/recv_operations.hpp>
#include <spool/channel/detail/send_operations.hpp>

#include <concepts>
#include <cstddef>
#include <ranges>
#include <utility>

namespace spool {

/// A counted handle: copies name the same channel, which lives as long as one of them. Compares by identity.
/// T needs to be move-constructible, nothing more. Values leave in the order in which they entered, waiters are served
/// first come, first served. Its operations are in send_operations, recv_operations and observe_operations:
///   send, try_send, send_for, send_until, close;  recv, try_recv, recv_for, recv_until, begin/end;
///   closed, size, capacity
/// Thread safe; works on fibers and plain threads, with or without a runtime. One allocation per channel.
/// A handle that was moved from throws std::logic_error when used; nil is only what was made from nullptr.
///
///   spool::channel<int> ch(16);
///   spool::go([ch] { for (int i = 0; i < 3 && ch.send(i); ++i) {} ch.close(); });
///   for (int i : ch) fmt::print("{}\n", i);
template <class T>
class channel : public detail::send_operations<channel<T>, T>,
                public detail::recv_operations<channel<T>, T>,
                public detail::observe_operations<channel<T>> {
 public:
  using value_type = T;

  /// Room for `capacity` values, as given; 0: each send waits for its receiver. Beyond 2^32 - 1, or more than memory
  /// can address: std::length_error.
  explicit channel(std::size_t capacity = 0) : handle_(detail::channel_core<T>::make(capacity)) {}
  /// Nil: send and recv wait for ever, select never chooses it. Go: a nil channel, to switch a case off.
  channel(std::same_as<std::nullptr_t> auto) noexcept : handle_(detail::channel_handle::nil()) {}

  friend bool operator==(const channel& a, const channel& b) noexcept { return a.handle_.base() == b.handle_.base(); }
  /// Whether it is nil. A moved-from handle is not.
  friend bool operator==(const channel& a, std::nullptr_t) noexcept { return a.handle_.is_nil(); }

 private:
  friend struct detail::handle_access;
  template <class>
  friend class sender;
  template <class>
  friend class receiver;

  detail::channel_handle handle_;
};

}  // namespace spool

/// size() is what waits in the buffer now, not how many values a loop over the channel will receive.
template <class T>
inline constexpr bool std::ranges::disable_sized_range<spool::channel<T>> = true;
