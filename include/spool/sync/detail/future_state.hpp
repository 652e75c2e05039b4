// What a future and its producer share. Counted, so whoever publishes may go on touching it after its waiters left.
//   I1 ready_ turns true once, under mu_, after the result was written by the only producer
//   I2 while mu_ is free, a ready state has no waiters
#pragma once

#include <spool/base/error.hpp>
#include <spool/runtime/detail/node_memory.hpp>
#include <spool/runtime/detail/spin_lock.hpp>
#include <spool/runtime/detail/waiter.hpp>
#include <spool/sync/detail/wait_limit.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace spool::detail {

/// Lets the producer know that somebody is about to wait for it (a pool lends the slot of a job that waits).
/// `arg` may be dead unless the caller is known to keep it alive: compare it first, then use it.
struct wait_hook {
  /// On the waiting fiber, before it registers; must not wait. A non-null result is passed to `after`.
  void* (*before)(void* arg) noexcept;
  /// On the same fiber after its wait, if `before` gave non-null. May wait.
  void (*after)(void* arg, void* token) noexcept;
};

class future_state_base : public node_allocated {
 public:
  future_state_base() noexcept = default;
  future_state_base(const future_state_base&) = delete;
  future_state_base& operator=(const future_state_base&) = delete;

  bool ready() const noexcept { return ready_.load(std::memory_order_acquire); }

  /// False: ready already, nothing was registered.
  bool add_waiter(wait_node& node) noexcept;
  void remove_waiter(wait_node& node) noexcept;

  /// By the producer, before the future is handed out. `hook` lives for ever, a static table.
  void set_wait_hook(const wait_hook& hook, void* arg) noexcept {
    hook_ = &hook;
    hook_arg_ = arg;
  }
  /// What surrounds a real wait; select uses it too.
  class waiting {
   public:
    explicit waiting(const future_state_base& state) noexcept
        : state_(state), token_(state.hook_ == nullptr ? nullptr : state.hook_->before(state.hook_arg_)) {}
    ~waiting() {
      if (token_ != nullptr) state_.hook_->after(state_.hook_arg_, token_);
    }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

   private:
    const future_state_base& state_;
    void* token_;
  };

  /// Waits until ready, within the limit. A limit that is over already wins over a ready state if it is a context.
  waiter::outcome await(wait_limit limit);

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  virtual ~future_state_base() = default;
  /// Makes it ready and wakes who waits; after the result was written.
  void publish() noexcept;

 private:
  mutable spin_lock mu_;
  std::atomic<bool> ready_{false};
  std::atomic<std::uint32_t> references_{1};
  wait_queue waiters_;  // guarded by mu_
  const wait_hook* hook_ = nullptr;
  void* hook_arg_ = nullptr;
};

/// Logs an exception that nobody took from its future.
void log_untaken(const std::exception_ptr& exception) noexcept;
/// A use of a future or promise that has no state: std::logic_error.
[[noreturn]] void throw_no_state();

template <class T>
class future_state : public future_state_base {
 public:
  using stored = std::conditional_t<
      std::is_void_v<T>, std::monostate,
      std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<std::remove_reference_t<T>>, std::remove_cv_t<T>>>;

  /// Keeps what f returns or throws; not ready yet.
  template <class F>
  void capture(F& f) noexcept {
    try {
      if constexpr (std::is_void_v<T>) {
        f();
        result_.template emplace<1>();
      } else if constexpr (std::is_reference_v<T>) {
        result_.template emplace<1>(std::addressof(f()));
      } else {
        result_.template emplace<1>(f());
      }
    } catch (...) {
      result_.template emplace<3>(std::current_exception());
    }
  }
  void fail(error e) noexcept { result_.template emplace<2>(std::move(e)); }
  void fail(std::exception_ptr e) noexcept { result_.template emplace<3>(std::move(e)); }
  using future_state_base::publish;

  /// `shared`: the result goes to any number of callers, and nobody need take it.
  explicit future_state(bool shared = false) noexcept : shared_(shared) {}
  ~future_state() override {
    if (result_.index() == 3 && !shared_) log_untaken(*std::get_if<3>(&result_));
  }

  bool failed() const noexcept { return result_.index() >= 2; }

  /// The result of a ready state, for the one future that takes it.
  T take() {
    if (result_.index() >= 2) rethrow();
    if constexpr (std::is_reference_v<T>) {
      return **std::get_if<1>(&result_);
    } else if constexpr (!std::is_void_v<T>) {
      return std::move(*std::get_if<1>(&result_));
    }
  }

  /// The same for one of several callers that all get it.
  std::add_lvalue_reference_t<const T> share() const {
    if (result_.index() == 2) std::get_if<2>(&result_)->rethrow();
    if (result_.index() == 3) std::rethrow_exception(*std::get_if<3>(&result_));
    if constexpr (!std::is_void_v<T>) return *std::get_if<1>(&result_);
  }

 private:
  [[noreturn]] void rethrow() {
    if (result_.index() == 2) std::get_if<2>(&result_)->rethrow();
    std::exception_ptr exception = std::move(*std::get_if<3>(&result_));
    result_.template emplace<0>();  // taken
    std::rethrow_exception(std::move(exception));
  }

  const bool shared_;
  std::variant<std::monostate, stored, error, std::exception_ptr> result_;
};

}  // namespace spool::detail
