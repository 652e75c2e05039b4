// select: waits for the first of several channel operations, contexts, futures and timeouts. Go: the select statement.
#pragma once

#include <spool/channel/detail/select_by_type.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace spool {

/// Receives from a channel or receiver; closed and drained counts as ready. f takes a std::optional<T> (nullopt: closed
/// and drained), or nothing. Every case below may go without a handler.
template <class T, class F = detail::no_handler>
auto on_recv(const channel<T>& from, F f = {}) {
  return detail::recv_case<channel<T>, F>(from, std::move(f));
}
template <class T, class F = detail::no_handler>
auto on_recv(const receiver<T>& from, F f = {}) {
  return detail::recv_case<receiver<T>, F>(from, std::move(f));
}

/// Sends `value`, which is referred to, must outlive the select, and is moved from only if this case commits. f takes a
/// bool (false: the channel is closed, which counts as ready; nothing was sent), or nothing.
template <class T, class F = detail::no_handler>
auto on_send(const channel<T>& to, std::type_identity_t<T>&& value, F f = {}) {
  return detail::send_case<channel<T>, T, F>(to, value, std::move(f));
}
template <class T, class F = detail::no_handler>
auto on_send(const sender<T>& to, std::type_identity_t<T>&& value, F f = {}) {
  return detail::send_case<sender<T>, T, F>(to, value, std::move(f));
}
/// The same with a copy of `value`, made at the start of each select.
template <std::copy_constructible T, class F = detail::no_handler>
auto on_send(const channel<T>& to, const std::type_identity_t<T>& value, F f = {}) {
  return detail::send_case<channel<T>, const T, F>(to, value, std::move(f));
}
template <std::copy_constructible T, class F = detail::no_handler>
auto on_send(const sender<T>& to, const std::type_identity_t<T>& value, F f = {}) {
  return detail::send_case<sender<T>, const T, F>(to, value, std::move(f));
}

/// Ready when ctx is done. Go: case <-ctx.Done().
template <class F = detail::no_handler>
auto on_done(const context& ctx, F f = {}) {
  return detail::done_case<F>(ctx, std::move(f));
}

/// Ready when the future is; its result stays there for get(). A future without a state: std::logic_error.
template <class Future, class F = detail::no_handler>
requires requires(const Future& future) {
  { state_of(future) } -> std::convertible_to<detail::future_state_base*>;
}
auto on_ready(const Future& future, F f = {}) { return detail::ready_case<F>(state_of(future), std::move(f)); }

/// Ready when `d` has passed since the select began; at once if d <= 0. Go: case <-time.After(d).
template <class Rep, class Period, class F = detail::no_handler>
auto on_timeout(std::chrono::duration<Rep, Period> d, F f = {}) {
  return detail::timeout_case<F>(detail::saturated(d), std::move(f));
}

/// Taken when no other case is ready; the select does not wait. At most one. Go: default.
template <class F = detail::no_handler>
auto otherwise(F f = {}) {
  return detail::otherwise_case<F>(std::move(f));
}

/// Any case, for a number of cases known at run time. Holds the channel's handle and the handler; refers to the value of
/// an on_send. May be selected on again and again, in one select at a time; copies are the same case.
class select_case {
 public:
  template <class Case>
  requires std::derived_from<Case, detail::select_op> select_case(Case made)
      : op_(std::make_shared<Case>(std::move(made))) {}

 private:
  friend detail::select_op& op_of(select_case& c) noexcept { return *c.op_; }
  std::shared_ptr<detail::select_op> op_;
};

namespace detail {

template <std::derived_from<select_op> Case>
Case& op_of(Case& op) noexcept {
  return op;
}

template <class Case>
concept Selectable =
    !std::is_const_v<std::remove_reference_t<Case>> &&
    (std::derived_from<std::remove_cvref_t<Case>, select_op> || std::same_as<std::remove_cvref_t<Case>, select_case>);

}  // namespace detail

/// Waits until one of the cases is ready, commits exactly that one, runs its handler on the caller and returns its index.
/// Of several that are ready one is chosen uniformly at random. A send that loses keeps its value. A nil channel's case
/// is never chosen. With no case at all, or none that can become ready, it waits for ever. What a handler throws passes
/// through, the case having been committed. Up to 16 cases cost no allocation. Works on fibers and plain threads.
///
///   spool::select(on_recv(jobs, [](std::optional<job> j) { ... }), on_done(ctx, [] { ... }), on_timeout(50ms, [] { ... }));
template <class... Cases>
requires(detail::Selectable<Cases>&&...) std::size_t select(Cases&&... cases) {
  static_assert((0 + ... + int{detail::is_otherwise<std::remove_cvref_t<Cases>>}) <= 1,
                "a select has at most one otherwise");
  constexpr bool some = sizeof...(cases) > 0 && sizeof...(cases) <= detail::most_known_cases;
  if constexpr (some && (detail::KnownCase<std::remove_cvref_t<Cases>> && ...)) {
    return detail::select_by_type(std::forward<Cases>(cases)...);
  } else {
    using detail::op_of;
    detail::select_op* const ops[] = {&op_of(cases)..., nullptr};
    const detail::selection chosen = detail::choose({ops, sizeof...(cases)});
    [[maybe_unused]] std::size_t i = 0;
    (void)(... || (i++ == chosen.index && (op_of(cases).run(chosen.taken), true)));
    return chosen.index;
  }
}

/// The same for a number of cases known at run time. More than one `otherwise`: std::logic_error. Go: reflect.Select.
std::size_t select(std::span<select_case> cases);

}  // namespace spool
