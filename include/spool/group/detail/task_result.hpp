// What a function handed to an errgroup may return, as an error.
#pragma once

#include <spool/base/error.hpp>

#include <type_traits>
#include <utility>

namespace spool::detail {

template <class R>
struct is_result : std::false_type {};
template <class T>
struct is_result<result<T>> : std::true_type {};

template <class R>
concept GroupResult = std::is_void_v<R> || std::is_convertible_v<R, error> || is_result<std::remove_cvref_t<R>>::value;

/// Calls f; an exception is an error.
template <class F>
error call_for_error(F& f) noexcept {
  using R = std::invoke_result_t<F&>;
  try {
    if constexpr (std::is_void_v<R>) {
      f();
      return {};
    } else if constexpr (is_result<std::remove_cvref_t<R>>::value) {
      auto&& outcome = f();
      return outcome.has_error() ? outcome.error() : error();
    } else {
      return f();
    }
  } catch (...) {
    return error(std::current_exception());
  }
}

}  // namespace spool::detail
