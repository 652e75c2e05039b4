#include "delays.hpp"

#include <sched.h>
#include <time.h>

#include <atomic>

namespace {

std::atomic<std::uint32_t> rarity{0};
std::atomic<std::uint64_t> seed{0};
std::atomic<std::uint32_t> lose_one_in{0};
std::atomic<std::uint64_t> points{0};
std::atomic<std::uint64_t> delayed{0};

struct thread_dice {
  std::uint64_t state = 0x9E3779B97F4A7C15u ^ reinterpret_cast<std::uintptr_t>(this);
  std::uint32_t uncounted = 0;
  std::uint32_t below(std::uint32_t n) noexcept {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<std::uint32_t>((state >> 32) % n);
  }
};
thread_local thread_dice dice;

void delay(thread_dice& d) noexcept {
  delayed.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t kind = d.below(64);
  if (kind == 0) {
    const timespec a_while{0, 20'000 + static_cast<long>(d.below(200'000))};
    ::nanosleep(&a_while, nullptr);
  } else if (kind < 8) {
    ::sched_yield();
  } else {
    for (std::uint32_t spins = d.below(400); spins > 0; --spins) std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

/// A sixteenth of all functions.
bool chosen(const void* function) noexcept {
  const std::uint64_t mixed =
      (reinterpret_cast<std::uintptr_t>(function) ^ seed.load(std::memory_order_relaxed)) * 0x9E3779B97F4A7C15u;
  return mixed >> 60 == 0;
}

// Does not switch fibers, so a thread-local's address stays good in here.
[[gnu::noinline]] void pass(const void* function) noexcept {
  const std::uint32_t rare = rarity.load(std::memory_order_relaxed);
  if (rare == 0) return;
  thread_dice& d = dice;
  if (++d.uncounted == 1024) {
    points.fetch_add(d.uncounted, std::memory_order_relaxed);
    d.uncounted = 0;
  }
  if (d.below(rare) == 0 || (chosen(function) && d.below(rare / 256 + 2) == 0)) delay(d);
}

}  // namespace

extern "C" {

// What the compiler calls where it was told -finstrument-functions.
void __cyg_profile_func_enter(void* function, void*) { pass(function); }
void __cyg_profile_func_exit(void* function, void*) { pass(function); }

// The linker puts this in the place of spool::detail::futex_wake.
void real_futex_wake(std::atomic<std::uint32_t>& word) __asm__("__real__ZN5spool6detail10futex_wakeERSt6atomicIjE");
void wrap_futex_wake(std::atomic<std::uint32_t>& word) __asm__("__wrap__ZN5spool6detail10futex_wakeERSt6atomicIjE");
void wrap_futex_wake(std::atomic<std::uint32_t>& word) {
  const std::uint32_t one_in = lose_one_in.load(std::memory_order_relaxed);
  if (one_in == 0 || dice.below(one_in) != 0) real_futex_wake(word);
}
}

namespace stress {

void set_delays(std::uint32_t rare, std::uint64_t from) noexcept {
  seed.store(from, std::memory_order_relaxed);
  rarity.store(rare, std::memory_order_relaxed);
}

delay_counts delays() noexcept {
  return {points.load(std::memory_order_relaxed), delayed.load(std::memory_order_relaxed)};
}

void lose_wake_ups(std::uint32_t one_in) noexcept { lose_one_in.store(one_in, std::memory_order_relaxed); }

}  // namespace stress
