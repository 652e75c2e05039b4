// A channel of T: the ring and how values move. The ring's slots follow the object in the same allocation.
#pragma once

#include <spool/channel/detail/channel_base.hpp>

#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace spool::detail {

template <class T>
class channel_core final : public channel_base {
  static_assert(std::is_object_v<T> && !std::is_const_v<T> && !std::is_array_v<T>,
                "a channel carries objects by value");
  static_assert(std::is_move_constructible_v<T> && std::is_destructible_v<T>, "a message must be move-constructible");

 public:
  static channel_core* make(std::size_t capacity) {
    constexpr std::size_t room = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T) - ring_offset() / sizeof(T) - 1;
    if (capacity > std::numeric_limits<std::uint32_t>::max() || capacity > room) throw_bad_capacity(capacity);
    void* memory = allocate_channel(ring_offset() + capacity * sizeof(T), alignment());
    return ::new (memory) channel_core(static_cast<std::uint32_t>(capacity));
  }

  // The plain case, in which nobody waits or has to, is kept apart from the others: all that a caller's code need hold.

  /// `value` is moved from if, and only if, the result is ok (an exception leaves it as its move did).
  channel_status send(T& value, const wait_bounds& bounds = unbounded) {
    const auto [self, bias] = spend_budget();
    mu_.lock(bias);
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (count == capacity_ || closed_.load(std::memory_order_relaxed) || !receivers_.empty()) [[unlikely]]
      return send_slowly(self, value, &bounds);
    return append_and_unlock(count, value);
  }

  channel_status try_send(T& value) {
    const auto [self, bias] = spend_budget();
    if (send_would_block()) return channel_status::full;
    mu_.lock(bias);
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (count == capacity_ || closed_.load(std::memory_order_relaxed) || !receivers_.empty()) [[unlikely]]
      return send_slowly(self, value, nullptr);
    return append_and_unlock(count, value);
  }

  /// `Sink` is std::optional<T>, which is emplaced, or T, which is assigned; untouched unless ok.
  template <class Sink>
  channel_status recv(Sink& sink, const wait_bounds& bounds = unbounded) {
    const auto [self, bias] = spend_budget();
    mu_.lock(bias);
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (count == 0 || !senders_.empty()) [[unlikely]] return recv_slowly(self, sink, &bounds);
    return take_and_unlock(count, sink);
  }

  template <class Sink>
  channel_status try_recv(Sink& sink) {
    const auto [self, bias] = spend_budget();
    if (recv_would_block()) return channel_status::empty;
    mu_.lock(bias);
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (count == 0 || !senders_.empty()) [[unlikely]] return recv_slowly(self, sink, nullptr);
    return take_and_unlock(count, sink);
  }

  // The same for select, which holds the locks and wakes `woken` after it has released them.

  channel_step send_locked(T& value, channel_node*& woken) { return send_step(value, woken); }
  template <class Sink>
  channel_step recv_locked(Sink& sink, channel_node*& woken) {
    return recv_step(sink, woken);
  }

 private:
  static constexpr bool nothrow_moves = std::is_nothrow_move_constructible_v<T> &&
                                        (!std::is_move_assignable_v<T> || std::is_nothrow_move_assignable_v<T>);

  explicit channel_core(std::uint32_t capacity) noexcept : channel_base(capacity, &manage) {}
  ~channel_core() = default;

  // With the lock. Inlined, so that whom to wake stays in a register.

  [[gnu::always_inline]] channel_step send_step(T& value, channel_node*& woken) {
    if (closed_.load(std::memory_order_relaxed)) return channel_step::closed;
    if (!receivers_.empty()) {
      if (channel_node* receiver = receivers_.pop_claimed()) {
        hand_over(*receiver, receivers_, woken, [&] { fill(*receiver, value); });
        return channel_step::done;
      }
    }
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (count == capacity_) return channel_step::blocked;
    append(count, value);
    return channel_step::done;
  }

  template <class Sink>
  [[gnu::always_inline]] channel_step recv_step(Sink& sink, channel_node*& woken) {
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    if (count != 0) {
      take(count, sink);
      if (!senders_.empty()) refill(count - 1, woken);
      return channel_step::done;
    }
    if (!senders_.empty()) {
      if (channel_node* sender = senders_.pop_claimed()) {
        hand_over(*sender, senders_, woken, [&] { put(sink, *static_cast<T*>(sender->slot)); });
        return channel_step::done;
      }
    }
    return closed_.load(std::memory_order_relaxed) ? channel_step::closed : channel_step::blocked;
  }

  static constexpr std::align_val_t alignment() noexcept {
    return std::align_val_t{alignof(T) > cache_line_bytes ? alignof(T) : cache_line_bytes};
  }
  static constexpr std::size_t ring_offset() noexcept {
    return (sizeof(channel_core) + alignof(T) - 1) / alignof(T) * alignof(T);
  }
  T* ring() noexcept { return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(this) + ring_offset()); }

  channel_status append_and_unlock(std::uint32_t count, T& value) {
    const std::lock_guard unlocking(mu_, std::adopt_lock);
    append(count, value);
    return channel_status::ok;
  }
  template <class Sink>
  channel_status take_and_unlock(std::uint32_t count, Sink& sink) {
    const std::lock_guard unlocking(mu_, std::adopt_lock);
    take(count, sink);
    return channel_status::ok;
  }

  // Whatever is not plain. They enter with the lock and return without it; without `bounds` they do not wait.

  [[gnu::noinline]] channel_status send_slowly(fiber* self, T& value, const wait_bounds* bounds) {
    channel_step step;
    {
      channel_section section(mu_, self, std::adopt_lock);
      step = send_step(value, section.woken);
      if (step == channel_step::blocked && bounds != nullptr) section.release();
    }
    if (step == channel_step::blocked && bounds != nullptr) {
      if (bounds->none()) [[likely]]
        return wait_alone(self, senders_, channel_send_wait, std::addressof(value), false);
      return wait_bounded(self, channel_side::send, std::addressof(value), false, *bounds);
    }
    return status_of(step, channel_status::full);
  }
  template <class Sink>
  [[gnu::noinline]] channel_status recv_slowly(fiber* self, Sink& sink, const wait_bounds* bounds) {
    channel_step step;
    {
      channel_section section(mu_, self, std::adopt_lock);
      step = recv_step(sink, section.woken);
      if (step == channel_step::blocked && bounds != nullptr) section.release();
    }
    if (step == channel_step::blocked && bounds != nullptr) {
      if (bounds->none()) [[likely]]
        return wait_alone(self, receivers_, channel_recv_wait, std::addressof(sink), std::is_same_v<Sink, T>);
      return wait_bounded(self, channel_side::recv, std::addressof(sink), std::is_same_v<Sink, T>, *bounds);
    }
    return status_of(step, channel_status::empty);
  }
  static channel_status status_of(channel_step step, channel_status if_blocked) noexcept {
    if (step == channel_step::done) return channel_status::ok;
    return step == channel_step::closed ? channel_status::closed : if_blocked;
  }

  template <class Sink>
  void take(std::uint32_t count, Sink& sink) {
    T* oldest = ring() + head_;
    put(sink, *oldest);
    std::destroy_at(oldest);
    const std::uint32_t next = head_ + 1;
    head_ = next == capacity_ ? 0 : next;
    count_.store(count - 1, std::memory_order_release);  // see recv_would_block()
  }

  void append(std::uint32_t count, T& value) {
    std::uint64_t tail = std::uint64_t{head_} + count;
    if (tail >= capacity_) tail -= capacity_;
    std::construct_at(ring() + tail, std::move(value));
    count_.store(count + 1, std::memory_order_relaxed);
  }

  static void put(std::optional<T>& sink, T& value) { sink.emplace(std::move(value)); }
  static void put(T& sink, T& value) { sink = std::move(value); }
  static void fill(channel_node& receiver, T& value) {
    if constexpr (std::is_move_assignable_v<T>) {
      if (receiver.assigns) return put(*static_cast<T*>(receiver.slot), value);
    }
    put(*static_cast<std::optional<T>*>(receiver.slot), value);
  }

  /// Serves a claimed peer by `move`; if that throws, the peer is first in its queue again.
  template <class Move>
  void hand_over(channel_node& peer, channel_queue& queue, channel_node*& woken, Move move) {
    if constexpr (nothrow_moves) {
      move();
      finish_node(peer, channel_node::state::done, woken);
    } else {
      try {
        move();
      } catch (...) {
        queue.push_front(peer);
        finish_node(peer, channel_node::state::stalled, woken);
        throw;
      }
      finish_node(peer, channel_node::state::done, woken);
    }
  }

  /// Gives the slot that became free to the longest-waiting sender, so that values stay in the order of their sends.
  void refill(std::uint32_t count, channel_node*& woken) {
    while (channel_node* sender = senders_.pop_claimed()) {
      T& value = *static_cast<T*>(sender->slot);
      if constexpr (nothrow_moves) {
        append(count, value);
      } else {
        // The receive has its value; what failed is this sender's send, so the exception is thrown there.
        try {
          append(count, value);
        } catch (...) {
          sender->failure = std::current_exception();
          finish_node(*sender, channel_node::state::failed, woken);
          continue;
        }
      }
      finish_node(*sender, channel_node::state::done, woken);
      return;
    }
  }

  /// Destroys the values in the ring, without the lock: user destructors may do anything.
  void discard() noexcept {
    mu_.lock();
    const std::uint32_t count = count_.load(std::memory_order_relaxed);
    count_.store(0, std::memory_order_release);
    mu_.unlock();
    for (std::uint32_t i = 0; i < count; ++i) {
      std::destroy_at(ring() + head_);
      head_ = head_ + 1 == capacity_ ? 0 : head_ + 1;
    }
  }

  static void manage(channel_base& base, action what) noexcept {
    auto* self = static_cast<channel_core*>(&base);
    self->discard();
    if (what == action::discard) return;
    self->~channel_core();
    ::operator delete(static_cast<void*>(self), alignment());
  }
};

/// The operations behind every handle. `base` is null for a nil channel.
template <class T>
channel_status send_through(channel_base* base, T& value, const wait_bounds& bounds = unbounded) {
  if (base == nullptr) [[unlikely]]
    return wait_on_nil(channel_side::send, bounds);
  return static_cast<channel_core<T>*>(base)->send(value, bounds);
}

template <class T, class Sink>
channel_status recv_through(channel_base* base, Sink& sink, const wait_bounds& bounds = unbounded) {
  if (base == nullptr) [[unlikely]]
    return wait_on_nil(channel_side::recv, bounds);
  return static_cast<channel_core<T>*>(base)->recv(sink, bounds);
}

}  // namespace spool::detail
