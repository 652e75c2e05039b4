// future: a result that another fiber is still working on. async: start a fiber and get its result.
#pragma once

#include <spool/runtime/runtime.hpp>
#include <spool/sync/detail/future_state.hpp>

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

namespace spool {

class context;
template <class T>
class future;

namespace detail {
template <class T>
class promise;

struct release_state {
  void operator()(future_state_base* state) const noexcept { state->release(); }
};
template <class T>
using state_ptr = std::unique_ptr<future_state<T>, release_state>;

/// A future for a state that is part of something larger, such as a pool's job. Takes over the reference.
template <class T>
spool::future<T> adopt_state(state_ptr<T> state) noexcept;
}  // namespace detail

/// The result of `async` or of a pool's job. Move-only; T may be void, a reference or move-only.
/// Dropping a future neither waits for what produces the result nor cancels it; an exception that nobody took is
/// logged. One future is used by one fiber or thread at a time. May be selected on with on_ready. Go has a channel of
/// one here.
template <class T>
class future {
 public:
  using value_type = T;

  future() noexcept = default;

  /// Waits, then returns the value or rethrows the exception; an error (the job was refused, expired or abandoned) is
  /// thrown as error::rethrow does. Once: afterwards valid() is false and another get() throws std::logic_error.
  T get() {
    require_state();
    state_->await({});
    const detail::state_ptr<T> state = std::move(state_);
    return state->take();
  }

  /// Waits until the result is there.
  void wait() const { require_state().await({}); }

  /// Waits until the result is there or ctx is done: none, or the context's error. A ctx that is done wins.
  error wait(const context& ctx) const {
    const detail::wait_limit limit(ctx);
    return limit.to_error(require_state().await(limit));
  }

  /// True: the result is there. False: `d` has passed.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> d) const {
    return ready() || require_state().await(detail::deadline_after(d)) == detail::waiter::done;
  }

  /// True: the result is there. False: `when` has come.
  template <class Clock, class Duration>
  bool wait_until(std::chrono::time_point<Clock, Duration> when) const {
    return ready() || require_state().await(detail::to_steady(when)) == detail::waiter::done;
  }

  /// It has a result, or will have one, and that was not taken.
  bool valid() const noexcept { return state_ != nullptr; }
  /// The result is there: get() will not wait. Never waits itself.
  bool ready() const { return require_state().ready(); }

 private:
  friend class detail::promise<T>;
  friend future detail::adopt_state<T>(detail::state_ptr<T> state) noexcept;
  /// What select waits on; null if !valid().
  friend detail::future_state_base* state_of(const future& f) noexcept { return f.state_.get(); }

  explicit future(detail::state_ptr<T> state) noexcept : state_(std::move(state)) {}
  detail::future_state_base& require_state() const {
    if (state_ == nullptr) detail::throw_no_state();
    return *state_;
  }

  detail::state_ptr<T> state_;
};

namespace detail {

template <class T>
spool::future<T> adopt_state(state_ptr<T> state) noexcept {
  return spool::future<T>(std::move(state));
}

/// The producer's side of a future. Sets its result once, then is empty; dropped before that, the future's error is
/// errc::abandoned.
template <class T>
class promise {
 public:
  promise() : state_(new future_state<T>) {}
  promise(promise&&) noexcept = default;
  promise& operator=(promise&& other) noexcept {
    promise dropped(std::move(*this));
    state_ = std::move(other.state_);
    return *this;
  }
  ~promise() {
    if (state_ != nullptr) set_error(errc::abandoned);
  }

  /// Once.
  future<T> get_future() {
    state_->add_reference();
    return future<T>(state_ptr<T>(state_.get()));
  }
  /// Before get_future.
  void set_wait_hook(const wait_hook& hook, void* arg) noexcept { state_->set_wait_hook(hook, arg); }
  /// False: the result has been set.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  /// Makes the future ready with what f returns or throws. f is moved into a local that is destroyed before anyone sees
  /// the future ready: what it captured may refer to things that die as soon as get() returns.
  template <class F>
  void set_from(F&& f) noexcept {
    compute(std::forward<F>(f));
    publish();
  }
  /// The two halves of set_from, for who has to count the job in between.
  template <class F>
  void compute(F&& f) noexcept {
    try {
      std::decay_t<F> body(std::forward<F>(f));
      state_->capture(body);
    } catch (...) {
      state_->fail(std::current_exception());
    }
  }
  void publish() noexcept {
    const state_ptr<T> state = std::move(state_);
    state->publish();
  }
  /// compute() caught an exception.
  bool failed() const noexcept { return state_->failed(); }

  template <class... Args>
  void set_value(Args&&... args) noexcept {
    static_assert(sizeof...(Args) == (std::is_void_v<T> ? 0 : 1));
    auto give = [&]() -> T { return T(std::forward<Args>(args)...); };
    state_->capture(give);
    publish();
  }
  void set_error(error e) noexcept {
    state_->fail(std::move(e));
    publish();
  }
  void set_exception(std::exception_ptr e) noexcept {
    state_->fail(std::move(e));
    publish();
  }

 private:
  state_ptr<T> state_;
};

/// What f's future holds: an rvalue reference would dangle, its value does not.
template <class F>
using async_result_t =
    std::conditional_t<std::is_rvalue_reference_v<std::invoke_result_t<std::decay_t<F>&>>,
                       std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>, std::invoke_result_t<std::decay_t<F>&>>;

}  // namespace detail

/// Starts a fiber that runs f and returns its future. Never waits. On a plain thread: std::logic_error, f is not moved
/// from. What f captured is destroyed before the future becomes ready.
template <class F>
auto async(F&& f, detail::start_site where = detail::start_site::current()) -> future<detail::async_result_t<F>> {
  detail::scheduler& s = detail::require_scheduler("spool::async");
  detail::promise<detail::async_result_t<F>> result;
  auto handed_out = result.get_future();
  detail::spawn(
      s,
      [result = std::move(result), f = std::decay_t<F>(std::forward<F>(f))]() mutable noexcept {
        result.set_from(std::move(f));
      },
      where);
  return handed_out;
}

}  // namespace spool
