// The sending half of a channel's surface, for the handles that have it: channel and sender.
#pragma once

#include <spool/channel/detail/channel_core.hpp>

#include <chrono>
#include <concepts>
#include <type_traits>
#include <utility>

namespace spool::detail {

/// What operations and select see of a handle.
struct handle_access {
  /// The channel; null if nil. A moved-from handle: std::logic_error.
  template <class Handle>
  static channel_base* base(const Handle& h, const char* operation) {
    return h.handle_.get(operation);
  }
};

/// All thread safe. A value that was not sent was not moved from. If moving it throws, it was not sent, the channel is
/// as it was, and the exception leaves the send. On a nil channel they wait for ever or until the bound, and try_send
/// finds it full. The k-th receive from a channel of capacity C happens before the (k+C)-th send returns.
template <class Handle, class T>
class send_operations {
 public:
  /// Waits for room or a receiver. False: the channel is closed, or was closed meanwhile. Go: ch <- v, which panics then.
  [[nodiscard]] bool send(T&& value) const { return send_within(value) == channel_status::ok; }
  [[nodiscard]] bool send(const T& value) const requires std::copy_constructible<T> {
    T copy(value);
    return send_within(copy) == channel_status::ok;
  }

  /// Never waits: ok, full or closed. Costs no lock while the channel is full. Go: select with a default case.
  channel_status try_send(T&& value) const {
    channel_base* base = this->base("try_send");
    return base == nullptr ? channel_status::full : static_cast<channel_core<T>*>(base)->try_send(value);
  }
  channel_status try_send(const T& value) const requires std::copy_constructible<T> {
    channel_base* base = this->base("try_send");
    if (base == nullptr) return channel_status::full;
    if constexpr (!std::is_trivially_copyable_v<T>) {
      if (base->send_would_block()) {
        spend_budget();
        return channel_status::full;
      }
    }
    T copy(value);
    return static_cast<channel_core<T>*>(base)->try_send(copy);
  }

  /// Waits until ctx is done: ok, closed, canceled or timeout (its deadline). A ctx that is done already wins.
  channel_status send(const context& ctx, T&& value) const { return send_unless_done(value, ctx); }
  channel_status send(const context& ctx, const T& value) const requires std::copy_constructible<T> {
    T copy(value);
    return send_unless_done(copy, ctx);
  }

  /// Waits for `d` at most: ok, closed or timeout.
  template <class Rep, class Period>
  channel_status send_for(std::chrono::duration<Rep, Period> d, T&& value) const {
    return send_within(value, {deadline_after(d), nullptr});
  }
  template <class Rep, class Period>
  channel_status send_for(std::chrono::duration<Rep, Period> d,
                          const T& value) const requires std::copy_constructible<T> {
    T copy(value);
    return send_within(copy, {deadline_after(d), nullptr});
  }

  /// Waits until `when` at most: ok, closed or timeout.
  template <class Clock, class Duration>
  channel_status send_until(std::chrono::time_point<Clock, Duration> when, T&& value) const {
    return send_within(value, {to_steady(when), nullptr});
  }
  template <class Clock, class Duration>
  channel_status send_until(std::chrono::time_point<Clock, Duration> when,
                            const T& value) const requires std::copy_constructible<T> {
    T copy(value);
    return send_within(copy, {to_steady(when), nullptr});
  }

  /// Nothing more is sent; what is buffered can still be received. Wakes everyone who waits: receivers get nullopt,
  /// senders false. False: it was closed already (Go panics). Of a nil channel: std::logic_error. Never waits.
  bool close() const {
    channel_base* base = this->base("close");
    if (base == nullptr) throw_close_of_nil();
    const bool first = base->close();
    schedule_point();
    return first;
  }

 protected:
  send_operations() = default;
  send_operations(const send_operations&) = default;
  send_operations& operator=(const send_operations&) = default;
  ~send_operations() = default;

 private:
  channel_base* base(const char* operation) const {
    return handle_access::base(static_cast<const Handle&>(*this), operation);
  }
  channel_status send_within(T& value, const wait_bounds& bounds = unbounded) const {
    return send_through(base("send"), value, bounds);
  }
  channel_status send_unless_done(T& value, const context& ctx) const {
    channel_base* base = this->base("send");
    return ctx.done() ? done_status(ctx) : send_through(base, value, {time_point::max(), &ctx});
  }
};

/// What both directions can tell. Snapshots: others may send and receive meanwhile.
template <class Handle>
class observe_operations {
 public:
  /// close() was called, or one side's last endpoint is gone; there may still be values. Nil: false.
  bool closed() const {
    const channel_base* base = this->base("closed");
    const bool is_closed = base != nullptr && base->closed();
    schedule_point();
    return is_closed;
  }
  /// Values in the buffer. Nil: 0, as Go's len.
  std::size_t size() const {
    const channel_base* base = this->base("size");
    const std::size_t buffered = base == nullptr ? 0 : base->size();
    schedule_point();
    return buffered;
  }
  /// As given. Nil: 0, as Go's cap.
  std::size_t capacity() const {
    const channel_base* base = this->base("capacity");
    return base == nullptr ? 0 : base->capacity();
  }

 protected:
  observe_operations() = default;
  observe_operations(const observe_operations&) = default;
  observe_operations& operator=(const observe_operations&) = default;
  ~observe_operations() = default;

 private:
  const channel_base* base(const char* operation) const {
    return handle_access::base(static_cast<const Handle&>(*this), operation);
  }
};

}  // namespace spool::detail
