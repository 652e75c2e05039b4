// cancel_scope: a context that its owner can cancel, and that is cancelled at the end of the owner's block.
#pragma once

#include <spool/context/context.hpp>

#include <chrono>
#include <cstddef>
#include <tuple>
#include <utility>

namespace spool {

/// Cancels one context; a copy cancels the same. Stays usable after the scope it came from. Go:
/// context.CancelCauseFunc.
class canceller {
 public:
  /// From any thread, any number of times; the first cancellation wins. `cause` is what cause() then reports; err() is
  /// errc::canceled. On return the context and all derived from it are done(). Never waits for those who watch it.
  void operator()(error cause = {}) const;

 private:
  friend class cancel_scope;
  explicit canceller(detail::cancel_node_ptr node) noexcept : node_(std::move(node)) {}
  detail::cancel_node_ptr node_;
};

/// Owns the right to cancel a context; the destructor cancels, like `defer cancel()`. Move-only. Decomposes:
///
///   auto [ctx, cancel] = with_cancel(parent);   // cancelled at the end of the block at the latest
///   cancel();
///
/// where ctx is a copy, and cancel a copyable `canceller`. Name them in a capture: [ctx = ctx].
class [[nodiscard]] cancel_scope {
 public:
  /// Takes over a context that can be cancelled; for the with_ functions.
  explicit cancel_scope(spool::context ctx) noexcept : ctx_(std::move(ctx)) {}
  ~cancel_scope() { end(); }
  cancel_scope(cancel_scope&& other) noexcept : ctx_(std::exchange(other.ctx_, {})) {}
  /// Cancels the context held so far.
  cancel_scope& operator=(cancel_scope&& other) noexcept {
    if (this != &other) {
      end();
      ctx_ = std::exchange(other.ctx_, {});
    }
    return *this;
  }
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;

  const context& ctx() const& noexcept { return ctx_; }
  const context& ctx() && = delete;  // the scope would end, and cancel, with this expression

  /// As canceller's call. A scope that was moved from does nothing.
  void cancel(error cause = {}) const { canceller{node()}(std::move(cause)); }

  /// Structured bindings: 0 is a copy of the context, 1 its canceller.
  template <std::size_t I>
  auto get() const noexcept {
    static_assert(I < 2);
    if constexpr (I == 0) {
      return ctx_;
    } else {
      return canceller{node()};
    }
  }

 private:
  detail::cancel_node_ptr node() const noexcept { return detail::cancel_node_ptr(detail::context_access::node(ctx_)); }
  void end() noexcept;

  context ctx_;
};

/// Done when cancelled, or when parent is. Go: context.WithCancelCause.
cancel_scope with_cancel(const context& parent);

/// Done when cancelled, when parent is, or at `when` with errc::deadline_exceeded. A parent's earlier deadline stands;
/// a time that has passed makes it done at once. time_point::max() means never. Go: context.WithDeadline.
cancel_scope with_deadline(const context& parent, std::chrono::steady_clock::time_point when);

template <class Clock, class Duration>
cancel_scope with_deadline(const context& parent, std::chrono::time_point<Clock, Duration> when) {
  return with_deadline(parent, detail::to_steady(when));
}

/// with_deadline of now plus d; d <= 0: done at once. Go: context.WithTimeout.
template <class Rep, class Period>
cancel_scope with_timeout(const context& parent, std::chrono::duration<Rep, Period> d) {
  return with_deadline(parent, detail::deadline_after(d));
}

}  // namespace spool

template <>
struct std::tuple_size<spool::cancel_scope> : std::integral_constant<std::size_t, 2> {};
template <>
struct std::tuple_element<0, spool::cancel_scope> {
  using type = spool::context;
};
template <>
struct std::tuple_element<1, spool::cancel_scope> {
  using type = spool::canceller;
};
