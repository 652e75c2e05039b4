// How a pipeline and its helpers call the functions they are given, with or without a context, and what they make of
// results.
#pragma once

#include <spool/context/context.hpp>
#include <spool/group/detail/task_result.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace spool::detail {

/// Callable with the argument, after a context or alone.
template <class F, class Arg>
concept StageFunction = std::is_invocable_v<F&, const context&, Arg> || std::is_invocable_v<F&, Arg>;

template <class Arg, class F>
decltype(auto) call_stage_function(F& f, const context& ctx, Arg&& arg) {
  if constexpr (std::is_invocable_v<F&, const context&, Arg>) {
    return f(ctx, std::forward<Arg>(arg));
  } else {
    return f(std::forward<Arg>(arg));
  }
}

template <class F, class Arg>
using stage_result_t =
    decltype(call_stage_function<Arg>(std::declval<F&>(), std::declval<const context&>(), std::declval<Arg>()));

/// A function that is given items: once for all, moved from its channel; or, where the item may be needed again, by
/// reference. Where both are possible the results must agree.
template <class F, class T>
concept ItemFunction = StageFunction<F, T&&> || StageFunction<F, T&>;

template <class F, class T>
struct item_function {
  static constexpr bool takes_rvalue = StageFunction<F, T&&>;
  static constexpr bool takes_const = StageFunction<F, const T&>;
  static constexpr bool takes_lvalue = StageFunction<F, T&>;
  /// Whether the item can still be there when the function has failed.
  static constexpr bool can_keep = takes_const || takes_lvalue || std::is_copy_constructible_v<T>;

  static decltype(auto) consume(F& f, const context& ctx, T& item) {
    if constexpr (takes_rvalue) {
      return call_stage_function<T>(f, ctx, std::move(item));
    } else {
      return call_stage_function<T&>(f, ctx, item);
    }
  }
  using raw_result = decltype(consume(std::declval<F&>(), std::declval<const context&>(), std::declval<T&>()));

  static constexpr bool copies = !takes_const && !takes_lvalue && std::is_copy_constructible_v<T>;
  /// No reference where that could be to the copy.
  using kept_result = std::conditional_t<copies, std::remove_cvref_t<raw_result>, raw_result>;

  static kept_result keep(F& f, const context& ctx, T& item) {
    if constexpr (takes_const) {
      return call_stage_function<const T&>(f, ctx, item);
    } else if constexpr (takes_lvalue) {
      return call_stage_function<T&>(f, ctx, item);
    } else if constexpr (copies) {
      T copy(item);
      return call_stage_function<T>(f, ctx, std::move(copy));
    } else {
      return consume(f, ctx, item);  // not reached: such a stage takes no dead letters
    }
  }
};

template <class R>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

/// What a stage's function yields: U for U, std::optional<U> (none: the item is dropped), and results of both.
template <class R>
struct yield_of : std::type_identity<R> {};
template <class U>
struct yield_of<std::optional<U>> : std::type_identity<U> {};
template <class R>
struct yield_of<result<R>> : yield_of<R> {};

template <class R>
using yield_t = typename yield_of<std::remove_cvref_t<R>>::type;

/// Gives what the function's result holds to emit(U&&), or its error to failed(error). These say whether to go on, and
/// so does this. What the result only refers to is copied.
template <class R, class Emit, class Failed>
bool unwrap(R&& outcome, Emit& emit, Failed& failed) {
  using Plain = std::remove_cvref_t<R>;
  if constexpr (!std::is_same_v<R, Plain>) {
    return unwrap(Plain(std::forward<R>(outcome)), emit, failed);
  } else if constexpr (is_result<Plain>::value) {
    if (outcome.has_error()) return failed(outcome.error());
    return unwrap(std::move(*outcome), emit, failed);
  } else if constexpr (is_optional<Plain>::value) {
    return !outcome || unwrap(std::move(*outcome), emit, failed);
  } else {
    return emit(std::forward<R>(outcome));
  }
}

/// The same for a function that yields nothing: calls it, and gives its error to failed(error).
template <class Call, class Failed>
bool call_for_nothing(Call& call, Failed& failed) {
  using R = decltype(call());
  if constexpr (std::is_void_v<R>) {
    call();
    return true;
  } else if constexpr (is_result<std::remove_cvref_t<R>>::value) {
    auto&& outcome = call();
    return !outcome.has_error() || failed(outcome.error());
  } else {
    const error outcome = call();
    return !outcome || failed(outcome);
  }
}

}  // namespace spool::detail
