// The executor of the I/O object that an operation belongs to, where its cancellation is emitted.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <type_traits>
#include <utility>

namespace spool::detail {

template <class T>
concept HasExecutor = requires(T& t) { t.get_executor(); };
template <class T>
concept PointsToExecutor = requires(T& t) { t ? (*t).get_executor() : (*t).get_executor(); };

/// Holds a function that runs `f(argument)` on the executor; nothing is copied unless a cancellation needs it.
class operation_executor {
 public:
  template <class Initiation, class... InitArgs>
  static operation_executor of(Initiation& initiation, InitArgs&... args) {
    operation_executor found;
    if constexpr (HasExecutor<Initiation>) {
      found.set(initiation.get_executor());
    } else {
      (void)(found.try_argument(args) || ...);  // a composed operation: its stream is among its arguments
    }
    return found;
  }

  /// Empty: nothing to be found, any thread may emit.
  const boost::asio::any_io_executor& get() const noexcept { return executor_; }

 private:
  template <class E>
  void set(E&& executor) {
    if constexpr (std::is_convertible_v<E, boost::asio::any_io_executor>) executor_ = std::forward<E>(executor);
  }
  template <class T>
  bool try_argument(T& arg) {
    if constexpr (HasExecutor<T>) {
      set(arg.get_executor());
    } else if constexpr (PointsToExecutor<T>) {
      if (arg) set((*arg).get_executor());
    }
    return static_cast<bool>(executor_);
  }

  boost::asio::any_io_executor executor_;
};

}  // namespace spool::detail
