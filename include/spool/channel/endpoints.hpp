// sender, receiver: a channel's two directions. make_channel: a channel whose ends close it when they are gone.
#pragma once

#include <spool/channel/channel.hpp>

#include <cstddef>
#include <ranges>
#include <utility>

namespace spool {
namespace detail {

/// A handle that may count as one of its side's endpoints.
template <channel_side Side>
class endpoint {
 public:
  explicit endpoint(channel_handle handle) noexcept : handle_(std::move(handle)) {}
  /// `counted`: another endpoint, of a channel made by make_channel.
  endpoint(channel_handle handle, bool counted) noexcept : handle_(std::move(handle)), counted_(counted) { join(); }
  endpoint(const endpoint& other) noexcept : endpoint(other.handle_, other.counted_) {}
  endpoint(endpoint&& other) noexcept
      : handle_(std::move(other.handle_)), counted_(std::exchange(other.counted_, false)) {}
  endpoint& operator=(endpoint other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(counted_, other.counted_);
    return *this;
  }
  ~endpoint() {
    if (counted_) handle_.base()->leave(Side);
  }

  channel_base* get(const char* operation) const { return handle_.get(operation); }
  channel_base* base() const noexcept { return handle_.base(); }
  bool is_nil() const noexcept { return handle_.is_nil(); }

 private:
  void join() noexcept {
    if (counted_) handle_.base()->join(Side);
  }

  channel_handle handle_;
  bool counted_ = false;
};

}  // namespace detail

template <class T>
class sender;
template <class T>
class receiver;

/// A channel for which its endpoints answer: when the last sender goes, it closes; when the last receiver goes, it
/// closes too, senders see `closed`, and values that nobody received are destroyed. Endpoints are copied and moved
/// freely, every copy counts. Rust: mpsc.
///
///   auto [tx, rx] = spool::make_channel<int>(16);
template <class T>
std::pair<sender<T>, receiver<T>> make_channel(std::size_t capacity = 0);

/// The sending direction: send, try_send, send_for, send_until, close, closed, size, capacity, as channel has them.
/// Made from a channel (implicitly) it is a plain reference: it counts for nothing. Go: chan<- T.
template <class T>
class sender : public detail::send_operations<sender<T>, T>, public detail::observe_operations<sender<T>> {
 public:
  using value_type = T;

  sender(channel<T> ch) noexcept : handle_(std::move(ch.handle_)) {}
  /// Nil.
  sender(std::same_as<std::nullptr_t> auto) noexcept : handle_(detail::channel_handle(detail::channel_handle::nil())) {}

  friend bool operator==(const sender& a, const sender& b) noexcept { return a.handle_.base() == b.handle_.base(); }
  friend bool operator==(const sender& a, std::nullptr_t) noexcept { return a.handle_.is_nil(); }

 private:
  friend struct detail::handle_access;
  friend std::pair<sender<T>, receiver<T>> make_channel<T>(std::size_t capacity);
  sender(detail::channel_handle handle, bool counted) noexcept : handle_(std::move(handle), counted) {}

  detail::endpoint<detail::channel_side::send> handle_;
};

/// The receiving direction: recv, try_recv, recv_for, recv_until, begin/end, closed, size, capacity, as channel has them.
/// Made from a channel (implicitly) it is a plain reference: it counts for nothing. Go: <-chan T.
template <class T>
class receiver : public detail::recv_operations<receiver<T>, T>, public detail::observe_operations<receiver<T>> {
 public:
  using value_type = T;

  receiver(channel<T> ch) noexcept : handle_(std::move(ch.handle_)) {}
  /// Nil.
  receiver(std::same_as<std::nullptr_t> auto) noexcept
      : handle_(detail::channel_handle(detail::channel_handle::nil())) {}

  friend bool operator==(const receiver& a, const receiver& b) noexcept { return a.handle_.base() == b.handle_.base(); }
  friend bool operator==(const receiver& a, std::nullptr_t) noexcept { return a.handle_.is_nil(); }

 private:
  friend struct detail::handle_access;
  friend std::pair<sender<T>, receiver<T>> make_channel<T>(std::size_t capacity);
  receiver(detail::channel_handle handle, bool counted) noexcept : handle_(std::move(handle), counted) {}

  detail::endpoint<detail::channel_side::recv> handle_;
};

template <class T>
std::pair<sender<T>, receiver<T>> make_channel(std::size_t capacity) {
  const detail::channel_handle made(detail::channel_core<T>::make(capacity));
  return {sender<T>(made, true), receiver<T>(made, true)};
}

}  // namespace spool

template <class T>
inline constexpr bool std::ranges::disable_sized_range<spool::receiver<T>> = true;  // as channel
