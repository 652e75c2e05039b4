// The typed cases of a select: how each commits and calls its handler.
#pragma once

#include <spool/channel/detail/select_op.hpp>
#include <spool/channel/endpoints.hpp>
#include <spool/sync/detail/future_state.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace spool::detail {

/// The handler of a case that was given none.
struct no_handler {
  template <class... Args>
  void operator()(Args&&...) const noexcept {}
};

/// What a case has for a handle: an endpoint of its own, which may count as one; else a hold on the channel.
template <class Handle>
class case_handle {
 public:
  case_handle(const Handle& h, const char* operation) : handle_(h), channel_(handle_access::base(h, operation)) {}
  channel_base* channel() const noexcept { return channel_; }
  void let_go_early() noexcept {}

 private:
  Handle handle_;
  channel_base* channel_;
};
template <class T>
class case_handle<channel<T>> {
 public:
  case_handle(const channel<T>& h, const char* operation) : channel_(handle_access::base(h, operation)) { hold(); }
  case_handle(const case_handle& other) noexcept : channel_(other.channel_) { hold(); }
  case_handle(case_handle&& other) noexcept : channel_(std::exchange(other.channel_, nullptr)) {}
  case_handle& operator=(const case_handle&) = delete;
  ~case_handle() {
    if (channel_ != nullptr) channel_->let_go();
  }
  channel_base* channel() const noexcept { return channel_; }
  void let_go_early() noexcept {
    if (channel_->let_go_locked()) channel_ = nullptr;
  }

 private:
  void hold() const noexcept {
    if (channel_ != nullptr) channel_->hold();
  }
  channel_base* channel_;
};

template <class Handle, class F>
class recv_case final : public select_op_of<select_op::kind::recv> {
  using value_type = typename Handle::value_type;
  static_assert(std::is_invocable_v<F&, std::optional<value_type>> || std::is_invocable_v<F&>,
                "the handler of on_recv takes a std::optional<T>, or nothing");

 public:
  recv_case(const Handle& from, F f) : from_(from, "on_recv"), f_(std::move(f)) { channel = from_.channel(); }

  channel_step commit(channel_node*& woken) override {
    return static_cast<channel_core<value_type>*>(channel)->recv_locked(value_, woken);
  }
  void* slot() noexcept override { return std::addressof(value_); }
  /// Under the channel's lock, after a commit that is the case's last: the handle is not needed any more.
  void let_go_early() noexcept {
    from_.let_go_early();
    channel = from_.channel();
  }
  void run(bool) override {
    if constexpr (std::is_invocable_v<F&, std::optional<value_type>>) {
      std::optional<value_type> value(std::move(value_));
      value_.reset();
      std::invoke(f_, std::move(value));
    } else {
      value_.reset();
      std::invoke(f_);
    }
  }

 private:
  case_handle<Handle> from_;
  F f_;
  std::optional<value_type> value_;  // empty between selects
};

/// `Value` is T, to be moved from when the case commits, or const T, of which every select sends a copy.
template <class Handle, class Value, class F>
class send_case final : public select_op_of<select_op::kind::send> {
  using value_type = typename Handle::value_type;
  static_assert(std::is_invocable_v<F&, bool> || std::is_invocable_v<F&>,
                "the handler of on_send takes a bool (false: closed), or nothing");

 public:
  static constexpr bool prepares = std::is_const_v<Value>;

  send_case(const Handle& to, Value& value, F f)
      : select_op_of(prepares), to_(to, "on_send"), value_(std::addressof(value)), f_(std::move(f)) {
    channel = to_.channel();
  }

  void prepare() override {
    // User code (a copy) and allocation stay outside the lock.
    if constexpr (prepares) {
      if (channel != nullptr && !channel->closed()) copy_.emplace(*value_);
    }
  }
  channel_step commit(channel_node*& woken) override {
    if constexpr (prepares) {
      if (!copy_) return channel_step::closed;
    }
    return static_cast<channel_core<value_type>*>(channel)->send_locked(*static_cast<value_type*>(slot()), woken);
  }
  void* slot() noexcept override {
    if constexpr (prepares) {
      return std::addressof(*copy_);
    } else {
      return value_;
    }
  }
  void let_go_early() noexcept {
    to_.let_go_early();
    channel = to_.channel();
  }
  void run(bool taken) override {
    if constexpr (prepares) copy_.reset();
    if constexpr (std::is_invocable_v<F&, bool>) {
      std::invoke(f_, taken);
    } else {
      std::invoke(f_);
    }
  }

 private:
  case_handle<Handle> to_;
  Value* value_;
  F f_;
  std::conditional_t<prepares, std::optional<value_type>, std::monostate> copy_;
};

template <class F>
class done_case final : public select_op_of<select_op::kind::done> {
 public:
  done_case(const context& ctx, F f) : ctx_(ctx), f_(std::move(f)) {}
  bool ready() override { return ctx_.done(); }
  const context* bounding_context() const noexcept override { return &ctx_; }
  void run(bool) override { std::invoke(f_); }

 private:
  context ctx_;
  F f_;
};

[[noreturn]] void throw_select_on_nothing();

/// Holds its own reference to the future's state, so that it may outlive the future.
template <class F>
class ready_case final : public select_op_of<select_op::kind::ready> {
 public:
  ready_case(future_state_base* state, F f) : state_(state), f_(std::move(f)) {
    if (state == nullptr) throw_select_on_nothing();
    state->add_reference();
  }
  ready_case(ready_case&& other) noexcept(std::is_nothrow_move_constructible_v<F>)
      : select_op_of(std::move(other)), state_(std::move(other.state_)), f_(std::move(other.f_)) {}

  bool ready() override { return state_->ready(); }
  void begin_wait() override { around_.emplace(*state_); }
  void end_wait() override { around_.reset(); }
  bool add_waiter(wait_node& node) noexcept override { return state_->add_waiter(node); }
  void remove_waiter(wait_node& node) noexcept override { state_->remove_waiter(node); }
  void run(bool) override { std::invoke(f_); }

 private:
  struct release {
    void operator()(future_state_base* state) const noexcept { state->release(); }
  };
  std::unique_ptr<future_state_base, release> state_;
  F f_;
  std::optional<future_state_base::waiting> around_;  // engaged during a wait
};

/// `d` in the clock's unit; what that cannot hold becomes its maximum, which deadline_after takes for "never".
template <class Rep, class Period>
clock::duration saturated(std::chrono::duration<Rep, Period> d) {
  using rough = std::chrono::duration<double>;
  if (rough(d) >= rough(clock::duration::max())) return clock::duration::max();
  return d <= d.zero() ? clock::duration::zero() : std::chrono::ceil<clock::duration>(d);
}

template <class F>
class timeout_case final : public select_op_of<select_op::kind::timeout> {
 public:
  timeout_case(clock::duration d, F f) : d_(d), f_(std::move(f)) {
    if (d_ <= d_.zero()) deadline = time_point::min();
  }
  void start_timeout() override { deadline = deadline_after(d_); }
  void run(bool) override { std::invoke(f_); }

 private:
  clock::duration d_;
  F f_;
};

template <class F>
class otherwise_case final : public select_op_of<select_op::kind::otherwise> {
 public:
  explicit otherwise_case(F f) : f_(std::move(f)) {}
  void run(bool) override { std::invoke(f_); }

 private:
  F f_;
};

template <class T>
inline constexpr bool is_otherwise = false;
template <class F>
inline constexpr bool is_otherwise<otherwise_case<F>> = true;

}  // namespace spool::detail
