// parallel_for_each, parallel_map: a function on every element of a range, several at a time.
#pragma once

#include <spool/group/errgroup.hpp>
#include <spool/pipeline/detail/cursor.hpp>
#include <spool/pipeline/detail/stage_function.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace spool {

namespace detail {

/// None, or too many where no count of elements limits them: std::invalid_argument. On a plain thread:
/// std::logic_error.
void check_parallel(std::size_t workers, bool counted, const char* operation);

/// Calls body(ctx, prepared, element), which returns an error or none, for every element.
template <class Range, class Prepare, class Body>
error run_in_parallel(const context& ctx, Range& range, std::size_t workers, Prepare prepare, Body body,
                      start_site where) {
  if (error e = ctx.err()) return e;
  cursor<Range> elements(range);
  errgroup group(ctx);
  const auto work = [&]() -> error {
    error failed;
    const auto use = [&](auto prepared, element_t<Range> element) {
      failed = body(group.context(), prepared, std::forward<element_t<Range>>(element));
    };
    while (!group.context().done()) {
      if (!elements.take(group.context(), prepare, use) || failed) return failed;
    }
    return ctx.err();
  };
  const std::size_t fibers = elements.useful(workers);
  for (std::size_t i = 0; i < fibers; ++i) group.go(work, where);
  return group.wait();
}

template <class R>
struct mapped : std::type_identity<R> {};
template <class U>
struct mapped<result<U>> : std::type_identity<U> {};
template <class R>
using mapped_t = typename mapped<std::remove_cvref_t<R>>::type;

}  // namespace detail

/// Calls f(ctx, element) or f(element) on every element of the range, at most `workers` at a time, and waits for all
/// calls. Elements are begun in their order. f returns void, error, std::error_code or a result; an exception is an
/// error. The first error is returned; it cancels the context that f gets, and no further element is begun. Nor is one
/// when ctx is done, which gives the context's error. Elements are given as the range's iterator gives them (references
/// to a container's elements, which f may change); those of a range that can be read only once are moved out of it. Of
/// a channel or receiver all values are elements until it is closed and drained; the first error and ctx end the wait
/// for one, too. On a plain thread: std::logic_error. workers == 0, or more than 1,048,576 for a range that does not
/// know its size or can be read only once: std::invalid_argument. Go: errgroup with SetLimit.
///
///   if (error e = parallel_for_each(ctx, files, 8, [](const context& ctx, const path& p) { return upload(ctx, p); })) ...
template <std::ranges::input_range Range, class F>
[[nodiscard]] error parallel_for_each(const context& ctx, Range&& range, std::size_t workers, F&& f,
                                      detail::start_site where = detail::start_site::current()) {
  using Element = detail::element_t<Range>;
  static_assert(detail::StageFunction<F, Element>, "the function takes (const context&, element) or (element)");
  static_assert(detail::GroupResult<detail::stage_result_t<F, Element>>,
                "the function returns void, error, std::error_code or a result; to keep values use parallel_map");
  detail::check_parallel(workers, detail::Counted<Range>, "spool::parallel_for_each");
  const auto body = [&f](const context& c, std::nullptr_t, Element&& element) {
    auto call = [&]() -> decltype(auto) {
      return detail::call_stage_function<Element>(f, c, std::forward<Element>(element));
    };
    return detail::call_for_error(call);
  };
  return detail::run_in_parallel(
      ctx, range, workers, [](std::size_t) { return nullptr; }, body, where);
}

/// What f makes of every element, in the elements' order; otherwise as parallel_for_each. f returns U or result<U>. U
/// needs to be move-constructible only.
///
///   result<std::vector<page>> pages = parallel_map(ctx, urls, 8, fetch);   // result<page> fetch(const context&, const url&)
template <std::ranges::input_range Range, class F>
[[nodiscard]] auto parallel_map(const context& ctx, Range&& range, std::size_t workers, F&& f,
                                detail::start_site where = detail::start_site::current()) {
  using Element = detail::element_t<Range>;
  static_assert(detail::StageFunction<F, Element>, "the function takes (const context&, element) or (element)");
  using Result = detail::stage_result_t<F, Element>;
  using U = detail::mapped_t<Result>;
  static_assert(std::is_object_v<U>, "the function returns U or result<U>; without a value use parallel_for_each");
  detail::check_parallel(workers, detail::Counted<Range>, "spool::parallel_map");

  std::deque<std::optional<U>> made;  // growing moves nothing: each worker writes to its element without a lock
  constexpr bool indexed = detail::Indexed<Range>;
  if constexpr (indexed) made.resize(static_cast<std::size_t>(std::ranges::size(range)));
  const auto prepare = [&made]([[maybe_unused]] std::size_t index) {
    if constexpr (indexed) {
      return &made[index];
    } else {
      return &made.emplace_back();
    }
  };
  const auto body = [&f](const context& c, std::optional<U>* slot, Element&& element) {
    auto call = [&]() -> error {
      auto&& outcome = detail::call_stage_function<Element>(f, c, std::forward<Element>(element));
      if constexpr (detail::is_result<std::remove_cvref_t<Result>>::value) {
        if (outcome.has_error()) return outcome.error();
        slot->emplace(*std::forward<Result>(outcome));
      } else {
        slot->emplace(std::forward<Result>(outcome));
      }
      return {};
    };
    return detail::call_for_error(call);
  };
  if (error e = detail::run_in_parallel(ctx, range, workers, prepare, body, where)) {
    return result<std::vector<U>>(boost::system::in_place_error, std::move(e));
  }
  std::vector<U> values;
  values.reserve(made.size());
  for (std::optional<U>& value : made) values.push_back(std::move(*value));
  return result<std::vector<U>>(boost::system::in_place_value, std::move(values));
}

}  // namespace spool
