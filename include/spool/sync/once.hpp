// once: run something exactly once, whoever comes first.
#pragma once

#include <spool/runtime/detail/waiter.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace spool {

/// Like std::call_once: the first call runs f, others wait until it has ended. An f that throws leaves it uncalled: the
/// exception goes to its caller and another call runs its own f. (Go's sync.Once counts a panic as a call.) After the
/// call it costs one load. A call from inside f deadlocks. May be destroyed as soon as the last call has returned.
class once {
 public:
  once() noexcept = default;
  once(const once&) = delete;
  once& operator=(const once&) = delete;

  template <class F>
  void call(F&& f) {
    detail::schedule_point();
    if (called()) return;
    if (!enter()) return;
    attempt mine(*this);
    std::forward<F>(f)();
    mine.succeeded = true;
  }

  /// Whether a call has succeeded. Never waits.
  bool called() const noexcept { return state_.load(std::memory_order_acquire) == done; }

 private:
  struct queued;
  struct attempt {
    explicit attempt(once& o) noexcept : owner(o) {}
    ~attempt() { owner.leave(succeeded); }
    attempt(const attempt&) = delete;
    attempt& operator=(const attempt&) = delete;
    once& owner;
    bool succeeded = false;
  };

  /// True: the caller is to run its f, then leave(). False: somebody else's f has succeeded.
  bool enter() noexcept;
  void leave(bool succeeded) noexcept;

  // idle, done, running, or the address of the last in a chain of those who wait for the running f. All in one word:
  // the exchange that ends a call is its last access, so who sees `done` may destroy the object.
  static constexpr std::uintptr_t idle = 0;
  static constexpr std::uintptr_t done = 1;
  static constexpr std::uintptr_t running = 2;
  std::atomic<std::uintptr_t> state_{idle};
};

}  // namespace spool
