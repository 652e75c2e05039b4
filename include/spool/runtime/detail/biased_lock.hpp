// A spin_lock that costs the worker that uses it alone no locked instruction: a channel's two exchanges, one per send and
// one per receive, were more than half of what a message costs that makes nobody wait.
//
// Two flags. Anybody may take `shared_`, by an exchange. A worker that has taken it some thousand times in a row gets the
// lock's bias; its thread then takes `owned_` instead, by a plain store between two looks at bias_. Who takes shared_ and
// finds a bias withdraws it: it clears bias_, issues the heavy fence and waits until owned_ is clear. That fence pairs
// with the light one in lock(): either the owner sees that its bias is gone, or the other sees it inside. So
//   I1 bias_ is written by the holder of shared_ only     I2 who holds by owned_ has met nobody who held by shared_
//   I3 only one worker ever gets the bias of a lock: a thread that lost its CPU between its two looks touches owned_ when
//      it is back, which would then be another's
// What is guarded goes from hand to hand by the release store of the flag that was held and the acquire of the other side:
// an owner's next entry reads owned_, everybody else reads shared_ first. An owner that finds owned_ taken (by a fiber of
// its own that left the thread while user code ran) takes shared_ like others and withdraws its own bias.
#pragma once

#include <spool/runtime/detail/asymmetric_fence.hpp>
#include <spool/runtime/detail/spin_lock.hpp>

#include <atomic>
#include <cstdint>

namespace spool::detail {

/// What a lock knows a worker's thread by, while that lives; 0: any other thread.
using bias_id = std::uint32_t;
inline constexpr bias_id most_bias_ids = 126;

/// Times in a row that a worker takes a lock before it gets the bias, if no other worker has had it. A withdrawal costs as
/// much as some hundred.
inline constexpr std::uint16_t alone_for_bias = 1024;

/// Of the calling thread: what a fiber asks for before a wait is wrong after it.
[[gnu::noinline]] bias_id current_bias_id() noexcept;

/// Taken by fibers and plain threads, for tens of nanoseconds, under the same rules as a spin_lock.
class biased_lock {
 public:
  biased_lock() noexcept = default;
  biased_lock(const biased_lock&) = delete;
  biased_lock& operator=(const biased_lock&) = delete;

  void lock() noexcept { lock(current_bias_id()); }
  void lock(bias_id self) noexcept {
    if (enter_owned(self)) [[likely]] {
      held_by_owner_ = true;
    } else {
      lock_shared(self);
    }
  }

  void unlock() noexcept { (held_by_owner_ ? owned_ : shared_).store(false, std::memory_order_release); }

  /// Under the lock: f, a few instructions that do not throw.
  template <class F>
  void guard(F f) noexcept {
    const bias_id self = current_bias_id();
    if (enter_owned(self)) [[likely]] {
      f();
      owned_.store(false, std::memory_order_release);
    } else {
      lock_shared(self);
      f();
      unlock();
    }
  }

  /// Whom it is biased towards; 0: nobody. A moment's truth, for tests.
  bias_id biased_towards() const noexcept {
    const std::uint8_t bias = bias_.load(std::memory_order_relaxed);
    return bias < unbiased ? bias : bias_id{0};
  }

 private:
  static constexpr std::uint8_t unbiased = 128;  // plus the id of who took it last

  bool enter_owned(bias_id self) noexcept {
    if (bias_.load(std::memory_order_relaxed) != self || owned_.load(std::memory_order_acquire)) [[unlikely]] return false;
    owned_.store(true, std::memory_order_relaxed);
    light_fence();
    if (bias_.load(std::memory_order_relaxed) == self) [[likely]] return true;
    owned_.store(false, std::memory_order_release);
    return false;
  }
  [[gnu::noinline]] void lock_shared(bias_id self) noexcept;
  void withdraw_bias() noexcept;
  void take_bias(bias_id self) noexcept;

  // First, since ThreadSanitizer notes the address of whatever synchronizes: that of the lock is also that of its channel,
  // and in a note it would pass for a handle (leak_finder).
  std::uint8_t owner_ = 0;  // who had the bias first; guarded by the lock, as held_by_owner_
  std::atomic<bool> owned_{false};
  std::atomic<bool> shared_{false};
  std::atomic<std::uint8_t> bias_{unbiased};  // below `unbiased`: whose it is
  bool held_by_owner_ = false;
  std::uint16_t taken_alone_ = 0;             // by shared_, in a row by one worker
  contention_mark mark_;
};

}  // namespace spool::detail
