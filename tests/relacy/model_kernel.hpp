// What the kernel does in the model: futexes, and the clock. Time passes in a wait that has a deadline, and by 10 us
// whenever somebody looks.
#pragma once

#include "model_std.hpp"

#include <spool/base/clock.hpp>

#include "runtime/futex.hpp"

namespace model {

using spool::detail::time_point;

class kernel {
 public:
  /// Before each schedule.
  static void boot() noexcept {
    sleeping_ = 0;
    now_ = time_point{};
    spool::detail::substituted.store(&clock_);
  }

  static void sleep(const void* word) {
    sleepers_[sleeping_++] = {word, rl::ctx().threadx_->index_};
    const bool by_itself = rl::ctx().is_random_sched();  // in all schedules it would be too many
    if (rl::ctx().park_current_thread(false, by_itself, false, RL_INFO) != rl::unpark_reason_normal) {
      take(
          std::find_if(sleepers_.begin(), end(), [](const sleeper& s) { return s.who == rl::ctx().threadx_->index_; }));
    }
  }
  static void wake_one(const void* word) {
    const auto found = std::find_if(sleepers_.begin(), end(), [word](const sleeper& s) { return s.word == word; });
    if (found != end()) rl::ctx().unpark_thread(take(found), false, RL_INFO);
  }
  static void pass_time(time_point until) { now_ = std::max(now_, until); }

 private:
  struct sleeper {
    const void* word;
    rl::thread_id_t who;
  };
  using place = std::array<sleeper, 8>::iterator;
  static place end() { return sleepers_.begin() + sleeping_; }
  static rl::thread_id_t take(place at) {
    const rl::thread_id_t who = at->who;
    std::copy(at + 1, end(), at);
    --sleeping_;
    return who;
  }

  static inline std::array<sleeper, 8> sleepers_;
  static inline int sleeping_ = 0;
  static inline time_point now_;
  static time_point look() noexcept { return now_ += std::chrono::microseconds(10); }
  static std::uint64_t no_chance() noexcept { return 0; }
  static void no_preemption(int) noexcept {}
  static constexpr spool::detail::substitutes clock_{&look, &no_chance, &no_preemption};
};

}  // namespace model

namespace spool::detail {

constinit ::std::atomic<const substitutes*> substituted{nullptr};

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, time_point deadline) noexcept {
  rl::ctx().sched();
  if (word.latest() != expected) return rl::yield(1, RL_INFO);  // after which old values are not read any more
  if (deadline == time_point::max()) return model::kernel::sleep(&word);
  rl::yield(1, RL_INFO);
  if (word.latest() == expected || rl::rand(2) == 0) model::kernel::pass_time(deadline);
}

// The word may be gone.
void futex_wake(std::atomic<std::uint32_t>& word) noexcept {
  rl::ctx().sched();
  model::kernel::wake_one(&word);
}

}  // namespace spool::detail
