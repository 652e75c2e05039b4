// fan_out: one stream for several consumers, each item for one of them.
#pragma once

#include <spool/pipeline/detail/input.hpp>
#include <spool/runtime/detail/task.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace spool {

namespace detail {
[[noreturn]] void throw_no_outputs();
}

/// n receivers that share the items of `in`: each item goes to exactly one of them, to who has waited longest. They
/// close when `in` has closed and was drained. Drop one, and the others share the rest; when all are dropped, `in`,
/// which was handed over, is closed at its next item, so that its senders see `closed`. One fiber on the current
/// runtime. T's move must not throw: that ends the process, as an exception in a fiber started with go.
/// n == 0, a nil channel: std::invalid_argument. On a plain thread: std::logic_error. Never waits.
template <detail::Input In>
[[nodiscard]] std::vector<receiver<detail::item_t<In>>> fan_out(
    In&& in, std::size_t n, detail::start_site where = detail::start_site::current()) {
  using T = detail::item_t<In>;
  detail::scheduler& s = detail::require_scheduler("spool::fan_out");
  if (n == 0) detail::throw_no_outputs();
  receiver<T> from = detail::take_over(std::forward<In>(in), "spool::fan_out");
  // One rendezvous that all of them wait at: nobody who is busy keeps an item from those who are not.
  auto [to, shared] = make_channel<T>();
  std::vector<receiver<T>> outputs(n, shared);
  detail::spawn(
      s, [from = std::move(from), to = std::move(to)] { detail::forward_all(from, to); }, where);
  return outputs;
}

}  // namespace spool
