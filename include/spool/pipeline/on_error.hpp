// What a stage does with an item whose function failed: stop the pipeline, leave the item out, or send it elsewhere.
#pragma once

#include <spool/base/error.hpp>
#include <spool/channel/endpoints.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace spool {

/// stop: the item's error is the pipeline's and ends it. skip: the item is left out.
enum class on_error { stop, skip };

/// An item that a stage could not process, and why.
template <class T>
struct dead_letter {
  std::string stage;  ///< the stage's name
  T item;             ///< as the stage's function left it; untouched if that takes it by value or const reference
  spool::error error;
};

/// Decides about an item's error. Made from on_error::stop or on_error::skip, from the channel or sender that dead
/// letters go to, or from a function `on_error(const error&)` that decides item by item (called by all workers at
/// once).
template <class T>
class error_policy {
 public:
  error_policy(on_error action = on_error::stop) noexcept : action_(action) {}

  /// Dead letters wait for room: if nobody receives them the stage, and all before it, come to a halt, until the
  /// pipeline is cancelled. Once nobody can receive them (the channel is closed) they stop the pipeline as
  /// on_error::stop does.
  error_policy(sender<dead_letter<T>> letters) noexcept : letters_(std::move(letters)) {}
  error_policy(channel<dead_letter<T>> letters) noexcept : letters_(std::move(letters)) {}

  template <class F>
  requires(std::is_invocable_r_v<on_error, F&, const error&> && !std::same_as<std::remove_cvref_t<F>, error_policy>)
      error_policy(F&& decide)
      : decide_(std::forward<F>(decide)) {}

  /// Where the items go that fail, or null.
  const sender<dead_letter<T>>* letters() const noexcept { return letters_ ? &*letters_ : nullptr; }
  /// What is done about the error when there are no dead letters.
  on_error decide(const error& reason) const { return decide_ ? decide_(reason) : action_; }

 private:
  on_error action_ = on_error::stop;
  std::optional<sender<dead_letter<T>>> letters_;
  std::function<on_error(const error&)> decide_;
};

}  // namespace spool
