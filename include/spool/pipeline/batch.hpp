// batch: single items as vectors, by number and by time.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/pipeline/detail/input.hpp>
#include <spool/runtime/detail/task.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

namespace spool {

namespace detail {

[[noreturn]] void throw_empty_batches();

template <class T>
class batcher {
 public:
  batcher(receiver<T> from, sender<std::vector<T>> to, std::size_t max_items, clock::duration max_wait)
      : from_(std::move(from)), to_(std::move(to)), max_items_(max_items), max_wait_(max_wait) {}

  void operator()() {
    std::size_t expected = 0;  // as many as last time, so that a steady stream costs one allocation a batch
    while (std::optional<T> first = from_.recv()) {
      std::vector<T> items;
      items.reserve(std::max<std::size_t>(1, expected));
      items.push_back(std::move(*first));
      fill(items);
      expected = items.size();
      if (!to_.send(std::move(items))) {
        channel_of(from_, "spool::batch").close();
        return;
      }
    }
  }

 private:
  void fill(std::vector<T>& items) const {
    constexpr std::size_t items_per_look = 32;  // at the clock, which a value that is there does not ask for
    const bool timed = max_wait_ > clock::duration::zero();
    const time_point flush_at = deadline_after(max_wait_);
    while (items.size() < max_items_) {
      if (timed && items.size() % items_per_look == 0 && clock::now() >= flush_at) return;
      result<T> next = timed ? from_.recv_until(flush_at) : from_.try_recv();
      if (!next) return;  // time is up, or the stream has ended, which the next recv finds
      items.push_back(std::move(*next));
    }
  }

  const receiver<T> from_;
  const sender<std::vector<T>> to_;
  const std::size_t max_items_;
  const clock::duration max_wait_;
};

/// `d` in the clock's unit; what that cannot hold is for ever.
template <class Rep, class Period>
clock::duration to_wait(std::chrono::duration<Rep, Period> d) {
  using rough = std::chrono::duration<double>;
  if (rough(d) >= rough(clock::duration::max())) return clock::duration::max();
  if (!(rough(d) > rough::zero())) return clock::duration::zero();
  return std::chrono::ceil<clock::duration>(d);
}

}  // namespace detail

/// The items of `in` in vectors of 1 to max_items, in order. A batch is complete with max_items, when max_wait has
/// passed since its first item was received, or when `in` has closed; max_wait <= 0: as soon as no further item is
/// there. While a complete batch waits for its receiver no item is received. The output closes when `in` has closed and
/// was drained. When it has no receiver any more, `in`, which was handed over, is closed at the next batch: its senders
/// see `closed`. One fiber on the current runtime. T's move must not throw: that ends the process, as an exception in a
/// fiber started with go. max_items == 0, a nil channel: std::invalid_argument. On a plain thread: std::logic_error.
/// Never waits.
template <detail::Input In, class Rep, class Period>
[[nodiscard]] receiver<std::vector<detail::item_t<In>>> batch(
    In&& in, std::size_t max_items, std::chrono::duration<Rep, Period> max_wait,
    detail::start_site where = detail::start_site::current()) {
  using T = detail::item_t<In>;
  detail::scheduler& s = detail::require_scheduler("spool::batch");
  if (max_items == 0) detail::throw_empty_batches();
  receiver<T> from = detail::take_over(std::forward<In>(in), "spool::batch");
  auto [to, batches] = make_channel<std::vector<T>>();
  detail::spawn(s, detail::batcher<T>(std::move(from), std::move(to), max_items, detail::to_wait(max_wait)), where);
  return std::move(batches);
}

}  // namespace spool
