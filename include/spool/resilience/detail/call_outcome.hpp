// What a function under a policy (retry, circuit_breaker, rate_limiter) may take and return, and its error if there is
// one.
#pragma once

#include <spool/base/error.hpp>
#include <spool/context/context.hpp>

#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

namespace spool::detail {

template <class F>
concept CallableAlone = std::is_invocable_v<F&>;
template <class F>
concept CallableWithContext = !CallableAlone<F> && std::is_invocable_v<F&, const context&>;
/// Without arguments or with a const context&. What takes both ways gets no context.
template <class F>
concept CallableUnderPolicy = CallableAlone<F> || CallableWithContext<F>;

template <CallableUnderPolicy F>
decltype(auto) call_with(const context& ctx, F& f) {
  if constexpr (CallableAlone<F>) {
    return f();
  } else {
    return f(ctx);
  }
}

template <class F>
using call_result_t = decltype(call_with(std::declval<const context&>(), std::declval<std::remove_reference_t<F>&>()));

template <class R>
inline constexpr bool returns_result = false;
template <class T>
inline constexpr bool returns_result<result<T>> = true;

/// R can say by itself that the call has failed.
template <class R>
concept HoldsError = std::is_same_v<R, error> || std::is_same_v<R, std::error_code> || returns_result<R>;

/// R can say that the call has failed, but not to us: errc, channel_status, boost::system::error_code, a reference to
/// an error, std::expected and other types of that kind. Taken as a plain value it would count as a success, whatever
/// it says.
template <class R>
concept HoldsForeignError = !HoldsError<R> &&
    (std::is_convertible_v<R, error> || std::is_convertible_v<R, std::error_code> ||
     requires(const std::remove_cvref_t<R>& r) {
       r.has_value();
       r.error();
     });

/// R is void, a plain value or a reference to one, or holds an error.
template <class R>
concept CallResult = std::is_void_v<R> || !HoldsForeignError<R>;

template <HoldsError R>
error error_in(const R& outcome) {
  if constexpr (returns_result<R>) {
    return outcome.has_error() ? outcome.error() : error();
  } else {
    return outcome;
  }
}

/// e as an R; thrown, if R cannot hold it.
template <class R>
R as_failure(const error& e) {
  if constexpr (returns_result<R>) {
    return R(boost::system::in_place_error, e);
  } else if constexpr (std::is_same_v<R, error>) {
    return e;
  } else if constexpr (std::is_same_v<R, std::error_code>) {
    return e.code();
  } else {
    e.rethrow();
  }
}

template <class R>
struct captured {
  using type = result<R>;
};
template <class R>
requires returns_result<R>
struct captured<R> {
  using type = R;
};
template <class R>
requires std::is_void_v<R> || std::is_same_v<R, error> || std::is_same_v<R, std::error_code>
struct captured<R> {
  using type = error;
};
/// What a policy makes of R: error where no value is at stake, else a result.
template <class R>
using captured_t = typename captured<R>::type;

/// Calls f; an exception is an error.
template <class F>
auto capture_call(const context& ctx, F& f) -> captured_t<call_result_t<F>> {
  using R = call_result_t<F>;
  using captured_type = captured_t<R>;
  try {
    if constexpr (std::is_void_v<R>) {
      call_with(ctx, f);
      return error();
    } else if constexpr (HoldsError<R>) {
      return call_with(ctx, f);
    } else {
      return captured_type(boost::system::in_place_value, call_with(ctx, f));
    }
  } catch (...) {
    return as_failure<captured_type>(error(std::current_exception()));
  }
}

}  // namespace spool::detail
