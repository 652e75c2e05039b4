// One Asio operation that a fiber waits for. It lives in the frame of who waits and holds all that the operation
// needs: its results, a cancellation signal, memory for the operation itself.
//
// The handler is a pointer to it. Whoever calls or destroys the handler announces `completed_`, after which the
// operation may be gone. A cancellation is a function posted to the I/O object's executor; the fiber waits until that
// has run, too, so neither ever finds the frame gone.
#pragma once

#include <spool/context/context.hpp>
#include <spool/net/detail/completion.hpp>
#include <spool/net/detail/operation_executor.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace spool::detail {

/// Memory for one allocation at a time, which suffices for an operation that is not composed; more comes from the heap.
struct operation_memory {
  static constexpr std::size_t capacity_bytes = 320;
  std::atomic<bool> taken{false};
  alignas(std::max_align_t) std::byte storage[capacity_bytes];
};

template <class T>
struct operation_allocator {
  using value_type = T;
  explicit operation_allocator(operation_memory& m) noexcept : memory(&m) {}
  template <class U>
  operation_allocator(const operation_allocator<U>& other) noexcept : memory(other.memory) {}

  T* allocate(std::size_t n) {
    if (n * sizeof(T) <= operation_memory::capacity_bytes && alignof(T) <= alignof(std::max_align_t) &&
        !memory->taken.exchange(true, std::memory_order_acquire)) {
      return reinterpret_cast<T*>(memory->storage);
    }
    return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(alignof(T))));
  }
  void deallocate(T* p, std::size_t) noexcept {
    if (reinterpret_cast<std::byte*>(p) == memory->storage) {
      memory->taken.store(false, std::memory_order_release);
    } else {
      ::operator delete(p, std::align_val_t(alignof(T)));
    }
  }
  friend bool operator==(const operation_allocator&, const operation_allocator&) noexcept = default;

  operation_memory* memory;
};

/// What an operation yields: its arguments but for a leading error.
template <class... Args>
struct operation_results {
  static constexpr bool leads_with_code = false;
  static constexpr bool leads_with_exception = false;
  using values = std::tuple<Args...>;
};
template <class... Args>
struct operation_results<boost::system::error_code, Args...> {
  static constexpr bool leads_with_code = true;
  static constexpr bool leads_with_exception = false;
  using values = std::tuple<Args...>;
};
template <class... Args>
struct operation_results<std::exception_ptr, Args...> {
  static constexpr bool leads_with_code = false;
  static constexpr bool leads_with_exception = true;
  using values = std::tuple<Args...>;
};

template <class Tuple>
struct unwrapped {
  using type = Tuple;
};
template <>
struct unwrapped<std::tuple<>> {
  using type = void;
};
template <class T>
struct unwrapped<std::tuple<T>> {
  using type = T;
};

/// The part that does not depend on what the operation yields.
class fiber_operation_base {
 public:
  explicit fiber_operation_base(const context* ctx) noexcept : ctx_(ctx) {}
  fiber_operation_base(const fiber_operation_base&) = delete;
  fiber_operation_base& operator=(const fiber_operation_base&) = delete;
  /// Out of line: the signal's looks into thread-local storage, after the wait.
  ~fiber_operation_base();

  /// False: the context is done already, the operation counts as aborted.
  bool may_begin() noexcept;
  /// Waits until the operation has completed, and tells it when the context is done.
  void wait(const operation_executor& where) noexcept;
  /// The initiating function threw: what it did with the handler is waited for.
  void initiation_failed() noexcept { completed_.wait(nullptr, site()); }

 protected:
  class emission;
  wait_site site() const noexcept { return {"asio operation", this}; }
  void cancel(const operation_executor& where) noexcept;
  void emit_cancellation() noexcept;

  const context* const ctx_;
  bool aborted_ = false;   // the handler was destroyed, or the context was done before the operation began
  completion completed_;
  boost::asio::cancellation_signal signal_;
  operation_memory memory_;
};

template <class... Args>
class fiber_operation : public fiber_operation_base {
  using results = operation_results<Args...>;

 public:
  using value_type = typename unwrapped<typename results::values>::type;
  using fiber_operation_base::fiber_operation_base;

  class handler {
   public:
    using allocator_type = operation_allocator<std::byte>;
    using cancellation_slot_type = boost::asio::cancellation_slot;

    explicit handler(fiber_operation& op) noexcept : op_(&op), memory_(&op.memory_) {}
    handler(handler&& other) noexcept : op_(std::exchange(other.op_, nullptr)), memory_(other.memory_) {}
    handler& operator=(handler&&) = delete;
    ~handler() {
      if (op_ == nullptr) return;
      op_->aborted_ = true;
      op_->completed_.announce();
    }

    template <class... Values>
    void operator()(Values&&... values) {
      op_->arguments_.emplace(std::forward<Values>(values)...);
      std::exchange(op_, nullptr)->completed_.announce();
    }

    /// Asio asks a handler that was moved from, too, when starting the operation has thrown.
    allocator_type get_allocator() const noexcept { return allocator_type(*memory_); }
    /// Not connected without a context: then Asio prepares for no cancellation.
    cancellation_slot_type get_cancellation_slot() const noexcept {
      return op_->ctx_ != nullptr ? op_->signal_.slot() : cancellation_slot_type();
    }

   private:
    fiber_operation* op_;
    operation_memory* memory_;
  };

  value_type take(boost::system::error_code* ec) {
    if (aborted_) return take_aborted(ec);
    if constexpr (results::leads_with_code) {
      const boost::system::error_code& code = std::get<0>(*arguments_);
      if (ec != nullptr) {
        *ec = code;
      } else if (code) {
        throw boost::system::system_error(code);
      }
      return unwrap<1>();
    } else {
      if (ec != nullptr) ec->clear();
      if constexpr (results::leads_with_exception) {
        if (std::get<0>(*arguments_)) std::rethrow_exception(std::get<0>(*arguments_));
        return unwrap<1>();
      } else {
        return unwrap<0>();
      }
    }
  }

 private:
  friend class handler;

  value_type take_aborted(boost::system::error_code* ec) {
    const boost::system::error_code aborted = boost::asio::error::operation_aborted;
    if constexpr (std::is_void_v<value_type>) {
      if (ec == nullptr) throw boost::system::system_error(aborted);
      *ec = aborted;
    } else if constexpr (std::is_default_constructible_v<value_type>) {
      if (ec == nullptr) throw boost::system::system_error(aborted);
      *ec = aborted;
      return value_type();
    } else {
      throw boost::system::system_error(aborted);
    }
  }

  template <std::size_t First>
  value_type unwrap() {
    if constexpr (std::is_void_v<value_type>) {
      return;
    } else if constexpr (sizeof...(Args) - First == 1) {
      return std::get<First>(std::move(*arguments_));
    } else {
      return std::apply([](auto&&... all) { return drop<First>(std::move(all)...); }, std::move(*arguments_));
    }
  }
  template <std::size_t N, class First, class... Rest>
  static value_type drop(First&& first, Rest&&... rest) {
    if constexpr (N == 0) {
      return value_type(std::forward<First>(first), std::forward<Rest>(rest)...);
    } else {
      return value_type(std::forward<Rest>(rest)...);
    }
  }

  std::optional<std::tuple<Args...>> arguments_;
};

}  // namespace spool::detail
