// The receiving half of a channel's surface, for the handles that have it: channel and receiver.
#pragma once

#include <spool/channel/detail/send_operations.hpp>

#include <cstddef>
#include <iterator>
#include <optional>

namespace spool::detail {

/// Receives until the channel is closed and drained; at its end when that has come. Holds its own handle.
/// A value that can only be moved is given as an rvalue, so that `for (auto v : ch)` takes it over.
template <class Handle, class T>
class recv_iterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using reference = std::conditional_t<std::is_copy_constructible_v<T>, T&, T&&>;

  explicit recv_iterator(Handle from) : from_(std::move(from)) { ++*this; }

  reference operator*() const noexcept { return static_cast<reference>(*current_); }
  T* operator->() const noexcept { return &*current_; }
  recv_iterator& operator++() {
    current_.reset();
    (void)recv_through<T>(handle_access::base(from_, "recv"), current_);
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const recv_iterator& it, std::default_sentinel_t) noexcept { return !it.current_; }

 private:
  Handle from_;
  mutable std::optional<T> current_;
};

/// All thread safe. On a nil channel they wait for ever or until the bound, and try_recv finds it empty. If moving a
/// value throws, it was not received, and is where it was, as its move left it. (What returns a result moves the value
/// once more, out of reach of the channel: an exception then loses it. recv() and what takes a T& do not.)
template <class Handle, class T>
class recv_operations {
 public:
  /// Waits for a value; nullopt: closed and drained. Go: v, ok := <-ch.
  std::optional<T> recv() const {
    std::optional<T> value;
    (void)recv_within(value);
    return value;
  }

  /// Never waits: a value, errc::empty or errc::closed. Costs no lock while the channel is empty.
  result<T> try_recv() const {
    std::optional<T> value;
    const channel_status status = try_recv_into(value);
    if (status == channel_status::empty) return result<T>(boost::system::in_place_error, errc::empty);
    return to_result(status, value);
  }

  /// Waits until ctx is done: a value, errc::closed, or the context's error. A ctx that is done already wins.
  result<T> recv(const context& ctx) const {
    std::optional<T> value;
    return to_result(recv_unless_done(value, ctx), value);
  }

  /// Waits for `d` at most: a value, errc::closed or errc::deadline_exceeded.
  template <class Rep, class Period>
  result<T> recv_for(std::chrono::duration<Rep, Period> d) const {
    std::optional<T> value;
    return to_result(recv_within(value, {deadline_after(d), nullptr}), value);
  }
  /// Waits until `when` at most.
  template <class Clock, class Duration>
  result<T> recv_until(std::chrono::time_point<Clock, Duration> when) const {
    std::optional<T> value;
    return to_result(recv_within(value, {to_steady(when), nullptr}), value);
  }

  /// The same into `to`, which is assigned if the result is ok and untouched otherwise.
  channel_status try_recv(T& to) const requires std::is_move_assignable_v<T> { return try_recv_into(to); }
  channel_status recv(const context& ctx, T& to) const requires std::is_move_assignable_v<T> {
    return recv_unless_done(to, ctx);
  }
  template <class Rep, class Period>
  requires std::is_move_assignable_v<T> channel_status recv_for(std::chrono::duration<Rep, Period> d, T& to)
  const { return recv_within(to, {deadline_after(d), nullptr}); }
  template <class Clock, class Duration>
  requires std::is_move_assignable_v<T> channel_status recv_until(std::chrono::time_point<Clock, Duration> when, T& to)
  const { return recv_within(to, {to_steady(when), nullptr}); }

  /// For range-for: receives until closed and drained. begin() waits for the first value. Go: for v := range ch.
  recv_iterator<Handle, T> begin() const { return recv_iterator<Handle, T>(static_cast<const Handle&>(*this)); }
  std::default_sentinel_t end() const noexcept { return {}; }

 protected:
  recv_operations() = default;
  recv_operations(const recv_operations&) = default;
  recv_operations& operator=(const recv_operations&) = default;
  ~recv_operations() = default;

 private:
  channel_base* base(const char* operation) const {
    return handle_access::base(static_cast<const Handle&>(*this), operation);
  }
  template <class Sink>
  channel_status recv_within(Sink& sink, const wait_bounds& bounds = unbounded) const {
    return recv_through<T>(base("recv"), sink, bounds);
  }
  template <class Sink>
  channel_status recv_unless_done(Sink& sink, const context& ctx) const {
    channel_base* base = this->base("recv");
    return ctx.done() ? done_status(ctx) : recv_through<T>(base, sink, {time_point::max(), &ctx});
  }
  template <class Sink>
  channel_status try_recv_into(Sink& sink) const {
    channel_base* base = this->base("try_recv");
    return base == nullptr ? channel_status::empty : static_cast<channel_core<T>*>(base)->try_recv(sink);
  }
  static result<T> to_result(channel_status status, std::optional<T>& value) {
    if (status == channel_status::ok) return result<T>(boost::system::in_place_value, std::move(*value));
    return result<T>(boost::system::in_place_error, error(status));
  }
};

}  // namespace spool::detail
