// merge: several streams as one.
#pragma once

#include <spool/pipeline/detail/input.hpp>
#include <spool/runtime/detail/task.hpp>

#include <type_traits>
#include <utility>
#include <vector>

namespace spool {

namespace detail {

template <class T>
void start_forwarding(scheduler& s, receiver<T> from, sender<T> to, start_site where) {
  spawn(
      s, [from = std::move(from), to = std::move(to)] { forward_all(from, to); }, where);
}

}  // namespace detail

/// One receiver for the items of several. Each input's items stay in order; the output closes when all inputs have
/// closed and were drained, at once if there are none. One fiber per input on the current runtime, which passes items
/// on one by one. The inputs are handed over: when the output has no receiver any more, each input is closed at its
/// next item, so that its senders see `closed`. T's move must not throw: that ends the process, as an exception in a
/// fiber started with go. On a plain thread: std::logic_error. A nil channel: std::invalid_argument. Never waits.
template <class T>
[[nodiscard]] receiver<T> merge(std::vector<receiver<T>> inputs,
                                detail::start_site where = detail::start_site::current()) {
  detail::scheduler& s = detail::require_scheduler("spool::merge");
  for (const receiver<T>& in : inputs) detail::channel_of(in, "spool::merge");
  auto [to, merged] = make_channel<T>();
  for (receiver<T>& in : inputs) detail::start_forwarding(s, std::move(in), to, where);
  return std::move(merged);
}
template <class T>
[[nodiscard]] receiver<T> merge(std::vector<channel<T>> inputs,
                                detail::start_site where = detail::start_site::current()) {
  return merge(std::vector<receiver<T>>(inputs.begin(), inputs.end()), where);
}

/// The same for inputs that are known one by one: receivers and channels of the same T.
template <detail::Input First, detail::Input... Rest>
[[nodiscard]] receiver<detail::item_t<First>> merge(First&& first, Rest&&... rest) {
  using T = detail::item_t<First>;
  static_assert((std::is_same_v<T, detail::item_t<Rest>> && ...), "merge takes receivers and channels of one type");
  std::vector<receiver<T>> inputs;
  inputs.reserve(1 + sizeof...(rest));
  inputs.emplace_back(std::forward<First>(first));
  (inputs.emplace_back(std::forward<Rest>(rest)), ...);
  return merge(std::move(inputs));
}

}  // namespace spool
