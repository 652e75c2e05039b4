// What `std` means in a source of spool's that Relacy is to try: atomics are Relacy's, and the rest is the real one.
//
//   namespace spool::detail { namespace std = model_std; }
//   #include "runtime/run_queue.cpp"
//
// so that the sources are those that ship. Relacy then decides what each load sees and which thread goes on after each
// operation.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <relacy/relacy.hpp>
#pragma GCC diagnostic pop

// It renames these for programs that are written for it.
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno
#undef sched_yield

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace model_std {

using namespace ::std;

using memory_order = rl::memory_order;
inline constexpr memory_order memory_order_relaxed = rl::mo_relaxed;
inline constexpr memory_order memory_order_acquire = rl::mo_acquire;
inline constexpr memory_order memory_order_release = rl::mo_release;
inline constexpr memory_order memory_order_acq_rel = rl::mo_acq_rel;
inline constexpr memory_order memory_order_seq_cst = rl::mo_seq_cst;

template <class T>
class atomic {
 public:
  atomic(T value) { impl_.store(value, rl::mo_relaxed, RL_INFO); }
  T load(memory_order order = rl::mo_seq_cst) const { return impl_.load(order, RL_INFO); }
  void store(T value, memory_order order = rl::mo_seq_cst) { impl_.store(value, order, RL_INFO); }
  T exchange(T value, memory_order order = rl::mo_seq_cst) { return impl_(RL_INFO).exchange(value, order); }
  T fetch_or(T value, memory_order order = rl::mo_seq_cst) { return impl_(RL_INFO).fetch_or(value, order); }
  T fetch_and(T value, memory_order order = rl::mo_seq_cst) { return impl_(RL_INFO).fetch_and(value, order); }

 private:
  rl::atomic<T> impl_;
};

inline void atomic_thread_fence(memory_order order) { rl::atomic_thread_fence(order, RL_INFO); }

/// Relacy reports two threads that use an array without an order between them.
template <class T>
class unique_ptr;
template <class T>
class unique_ptr<T[]> {
 public:
  unique_ptr() { touched_(RL_INFO) = 0; }
  T& operator[](size_t i) {
    touched_(RL_INFO) = touched_(RL_INFO) + 1;
    return items_[i];
  }
  void reset(T* items) { items_.reset(items); }

 private:
  ::std::unique_ptr<T[]> items_;
  rl::var<unsigned> touched_;
};

}  // namespace model_std
