// context: cancellation, a deadline and values, handed down a tree of calls and fibers.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/base/error.hpp>
#include <spool/context/context_key.hpp>
#include <spool/context/detail/cancel_node.hpp>
#include <spool/context/detail/value_node.hpp>

#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace spool {
namespace detail {
struct context_access;
}

/// An immutable counted handle: a copy names the same context. Thread safe; works with no runtime alive.
/// A new one is derived from a parent (with_cancel, with_timeout, with_deadline, with_value, without_cancel,
/// from_stop_token, notify_context) and is done no later than it. Default-constructed or moved from: the background.
/// Go: context.Context.
class context {
 public:
  context() noexcept = default;

  /// Never done, no deadline, no values. Go: context.Background.
  static context background() noexcept { return {}; }

  /// Whether it was cancelled or its deadline passed. Once true it stays so. Costs one load.
  bool done() const noexcept { return node_ && node_->done.load(std::memory_order_acquire); }

  /// None until done; then errc::canceled or errc::deadline_exceeded. Never waits.
  error err() const;

  /// None until done; then the error given to the cancellation that came first, here or in the ancestor that was
  /// cancelled, or err() when none was given. Never waits. Go: context.Cause.
  error cause() const;

  /// When it will be done by itself, its ancestors' deadlines included; none: never.
  std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept;

  /// Waits until it and all that is derived from it are done; for ever if that cannot come. Go: <-ctx.Done().
  void wait() const;

  /// The nearest value given for the key on the way up, or null. Valid while a context that carries it lives.
  template <class T>
  const T* value(const context_key<T>& key) const noexcept {
    const detail::value_node* node = detail::value_node::find(values_.get(), key.id_);
    return node == nullptr ? nullptr : &static_cast<const detail::bound_value<T>*>(node)->value;
  }

  /// Asked to stop when the context becomes done, for what knows std::stop_token only; its callbacks run where the
  /// context is cancelled and must not wait. One that can never be done gives a token without a state.
  std::stop_token stop_token() const;

  /// Whether both name the same context.
  friend bool operator==(const context& a, const context& b) noexcept {
    return a.node_ == b.node_ && a.values_ == b.values_;
  }

 private:
  friend struct detail::context_access;
  context(detail::cancel_node_ptr node, detail::value_node_ptr values) noexcept
      : node_(std::move(node)), values_(std::move(values)) {}

  detail::cancel_node_ptr node_;   // null: can never be done
  detail::value_node_ptr values_;  // null: no values
};

/// parent with one more value; cancellation and deadline are parent's own. T must be move-constructible. Go:
/// context.WithValue.
template <class T>
context with_value(const context& parent, const context_key<T>& key, std::type_identity_t<T> value);

/// The values of parent without its cancellation and deadline, for work that must outlast it. Go:
/// context.WithoutCancel.
context without_cancel(const context& parent) noexcept;

/// Done when the token is asked to stop, with errc::canceled, or when parent is. The token is watched as long as a
/// handle to the new context, or to one derived from it, lives.
context from_stop_token(const context& parent, std::stop_token token);

namespace detail {

/// The parts of a context, for its family and for what waits on it.
struct context_access {
  static cancel_node* node(const context& ctx) noexcept { return ctx.node_.get(); }
  static const value_node_ptr& values(const context& ctx) noexcept { return ctx.values_; }
  static context make(cancel_node_ptr node, value_node_ptr values) noexcept {
    return {std::move(node), std::move(values)};
  }
};

}  // namespace detail

template <class T>
context with_value(const context& parent, const context_key<T>& key, std::type_identity_t<T> value) {
  using access = detail::context_access;
  detail::value_node_ptr bound(
      new detail::bound_value<T>(context_key_id(key), access::values(parent), std::move(value)));
  return access::make(detail::cancel_node_ptr(access::node(parent)), std::move(bound));
}

}  // namespace spool
