// How workers share a range: each takes the next element.
#pragma once

#include <spool/context/context.hpp>
#include <spool/pipeline/detail/input.hpp>
#include <spool/sync/mutex.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

namespace spool::detail {

template <class Range>
using range_of = std::remove_reference_t<Range>;

/// Elements can be had by number, at once and without a lock.
template <class Range>
concept Indexed = std::ranges::random_access_range<range_of<Range>> && std::ranges::sized_range<range_of<Range>>;

/// Its size is the number of its elements. A range that is read once may grow meanwhile, and its size counts no more
/// once it was begun.
template <class Range>
concept Counted = std::ranges::forward_range<range_of<Range>> && std::ranges::sized_range<range_of<Range>>;

/// What the function gets: what the iterator gives, or the value of an element that can be read only once.
template <class Range>
using element_t =
    std::conditional_t<std::ranges::forward_range<range_of<Range>>, std::ranges::range_reference_t<range_of<Range>>,
                       std::ranges::range_value_t<range_of<Range>>&&>;

/// take(ctx, prepare, use) calls use(prepared, element) for the next element and is false when there is none. When ctx
/// is done it may return true without having taken one. prepare(index) is called by one worker at a time unless the
/// range is Indexed.
template <class Range>
class cursor {
 public:
  explicit cursor(Range& range) : range_(range), at_(std::ranges::begin(range)) {}

  /// Workers that can be of use.
  std::size_t useful(std::size_t workers) const {
    if constexpr (Counted<Range>) {
      return std::min(workers, static_cast<std::size_t>(std::ranges::size(range_)));
    } else {
      return workers;
    }
  }

  template <class Prepare, class Use>
  bool take(const context&, Prepare& prepare, Use&& use) {
    std::unique_lock lock(mu_);
    if (begun_ && at_ != std::ranges::end(range_))
      ++at_;  // not before it is needed: the next element may be long in coming
    begun_ = true;
    if (at_ == std::ranges::end(range_)) return false;
    if constexpr (std::ranges::forward_range<Range>) {
      auto mine = at_;
      auto prepared = prepare(index_++);
      lock.unlock();
      use(prepared, *mine);
    } else {
      std::ranges::range_value_t<Range> element(std::ranges::iter_move(at_));
      auto prepared = prepare(index_++);
      lock.unlock();
      use(prepared, std::move(element));
    }
    return true;
  }

 private:
  Range& range_;
  mutex mu_;  // guards what follows
  std::ranges::iterator_t<Range> at_;
  bool begun_ = false;
  std::size_t index_ = 0;
};

template <Indexed Range>
class cursor<Range> {
 public:
  explicit cursor(Range& range)
      : begin_(std::ranges::begin(range)), size_(static_cast<std::size_t>(std::ranges::size(range))) {}

  std::size_t useful(std::size_t workers) const noexcept { return std::min(workers, size_); }

  template <class Prepare, class Use>
  bool take(const context&, Prepare& prepare, Use&& use) {
    const std::size_t index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index >= size_) return false;
    use(prepare(index), begin_[static_cast<std::ranges::range_difference_t<Range>>(index)]);
    return true;
  }

 private:
  const std::ranges::iterator_t<Range> begin_;
  const std::size_t size_;
  std::atomic<std::size_t> next_{0};
};

/// Whoever waits for a value has the lock, so that values are begun in their order; ctx ends that wait, too.
template <Input Range>
class cursor<Range> {
 public:
  /// Moved from: std::logic_error, to the caller and not to its workers.
  explicit cursor(Range& from) : from_(from) { (void)handle_access::base(from, "recv"); }

  std::size_t useful(std::size_t workers) const noexcept { return workers; }

  template <class Prepare, class Use>
  bool take(const context& ctx, Prepare& prepare, Use&& use) {
    std::unique_lock lock(mu_);
    result<item_t<Range>> value = from_.recv(ctx);
    if (!value) return value.error() != errc::closed;
    auto prepared = prepare(index_++);
    lock.unlock();
    use(prepared, std::move(*value));
    return true;
  }

 private:
  Range& from_;
  mutex mu_;
  std::size_t index_ = 0;  // guarded by mu_
};

}  // namespace spool::detail
