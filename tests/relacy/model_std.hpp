// What `std` means in a source of spool's that Relacy is to try: atomics are Relacy's, and the rest is the real one.
//
//   namespace spool::detail { namespace std = model_std; }
//   #include "runtime/run_queue.cpp"
//
// so that the sources are those that ship. Relacy then decides what each load sees and which thread goes on after each
// operation. What is included before has the real std. Functions that a source calls in others are the model's to
// define: nothing of the library is linked.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <ostream>
#include <type_traits>
#include <utility>

namespace rl {
// Relacy prints what an atomic holds.
inline std::ostream& operator<<(std::ostream& out, std::chrono::steady_clock::time_point when) {
  return out << when.time_since_epoch().count();
}
}  // namespace rl

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
// All of relacy.hpp but the headers that rename the words of C++ and of pthreads.
#include <relacy/atomic.hpp>
#include <relacy/atomic_fence.hpp>
#include <relacy/backoff.hpp>
#include <relacy/base.hpp>
#include <relacy/context.hpp>
#include <relacy/context_base_impl.hpp>
#include <relacy/dyn_thread.hpp>
#include <relacy/stdlib/condition_variable.hpp>
#include <relacy/stdlib/event.hpp>
#include <relacy/stdlib/mutex.hpp>
#include <relacy/stdlib/semaphore.hpp>
#include <relacy/test_suite.hpp>
#include <relacy/thread_local.hpp>
#include <relacy/var.hpp>
#pragma GCC diagnostic pop

namespace model_std {

using namespace ::std;

constexpr rl::memory_order in_relacy(memory_order order) {
  switch (order) {
    case memory_order_relaxed: return rl::mo_relaxed;
    case memory_order_consume:
    case memory_order_acquire: return rl::mo_acquire;
    case memory_order_release: return rl::mo_release;
    case memory_order_acq_rel: return rl::mo_acq_rel;
    default: return rl::mo_seq_cst;
  }
}

template <class T>
class atomic {
 public:
  atomic() : atomic(T{}) {}
  atomic(T value) {
    const rl::preemption_disabler nobody_knows_it_yet(rl::ctx());
    impl_.store(in_held(value), rl::mo_relaxed, RL_INFO);
  }
  ~atomic() { alive_ = false; }
  T load(memory_order order = memory_order_seq_cst) const { return T(impl().load(in_relacy(order), RL_INFO)); }
  void store(T value, memory_order order = memory_order_seq_cst) {
    impl().store(in_held(value), in_relacy(order), RL_INFO);
  }
  T exchange(T value, memory_order order = memory_order_seq_cst) {
    return T(impl()(RL_INFO).exchange(in_held(value), in_relacy(order)));
  }
  T fetch_add(T value, memory_order order = memory_order_seq_cst) {
    return T(impl()(RL_INFO).fetch_add(value, in_relacy(order)));
  }
  T fetch_sub(T value, memory_order order = memory_order_seq_cst) {
    return T(impl()(RL_INFO).fetch_sub(value, in_relacy(order)));
  }
  T fetch_or(T value, memory_order order = memory_order_seq_cst) {
    return T(impl()(RL_INFO).fetch_or(value, in_relacy(order)));
  }
  T fetch_and(T value, memory_order order = memory_order_seq_cst) {
    return T(impl()(RL_INFO).fetch_and(value, in_relacy(order)));
  }
  bool compare_exchange_strong(T& expected, T value, memory_order order = memory_order_seq_cst) {
    return compare_exchange_strong(expected, value, order, on_failure(order));
  }
  bool compare_exchange_strong(T& expected, T value, memory_order order, memory_order failed) {
    return compare_exchange<false>(expected, value, order, failed);
  }
  bool compare_exchange_weak(T& expected, T value, memory_order order, memory_order failed) {
    return compare_exchange<true>(expected, value, order, failed);
  }
  /// What the kernel sees: no step of the schedule, and no order.
  T latest() const { return T(impl().debug_value()); }

 private:
  // Relacy cannot print pointers to constants, and takes bytes for characters.
  static constexpr bool is_byte = is_same_v<T, uint8_t>;
  using held = conditional_t<is_pointer_v<T>, add_pointer_t<remove_const_t<remove_pointer_t<T>>>,
                             conditional_t<is_byte, unsigned, T>>;

  static held in_held(T value) {
    if constexpr (is_pointer_v<T>) {
      return const_cast<held>(value);
    } else {
      return value;
    }
  }
  static constexpr memory_order on_failure(memory_order order) {
    if (order == memory_order_acq_rel) return memory_order_acquire;
    return order == memory_order_release ? memory_order_relaxed : order;
  }
  template <bool Weak>
  bool compare_exchange(T& expected, T value, memory_order order, memory_order failed) {
    held seen = in_held(expected);
    const bool done =
        impl().compare_exchange(rl::bool_t<Weak>(), seen, in_held(value), in_relacy(order), in_relacy(failed), RL_INFO);
    expected = T(seen);
    return done;
  }

  rl::atomic<held>& impl() {
    RL_ASSERT(alive_);
    return impl_;
  }
  const rl::atomic<held>& impl() const {
    RL_ASSERT(alive_);
    return impl_;
  }

  rl::atomic<held> impl_;
  volatile bool alive_ = true;  // so that the end is written
};

namespace this_thread {
inline void yield() { rl::yield(1, RL_INFO); }
}  // namespace this_thread

inline void atomic_thread_fence(memory_order order) { rl::atomic_thread_fence(in_relacy(order), RL_INFO); }

/// An array: Relacy reports two threads that use it without an order between them.
template <class T>
class watched_array {
 public:
  watched_array() { touched_(RL_INFO) = 0; }
  T& operator[](size_t i) {
    touched_(RL_INFO) = touched_(RL_INFO) + 1;
    return items_[i];
  }
  void reset(T* items) { items_.reset(items); }

 private:
  ::std::unique_ptr<T[]> items_;
  rl::var<unsigned> touched_;
};
template <class T, class Deleter = default_delete<T>>
using unique_ptr = conditional_t<is_array_v<T>, watched_array<remove_extent_t<T>>, ::std::unique_ptr<T, Deleter>>;

}  // namespace model_std
