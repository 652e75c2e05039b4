// The choices of one run, drawn from its seed, and the trace of them.
#pragma once

#include <spool/runtime/detail/seeded.hpp>
#include <spool/runtime/detail/task.hpp>

#include <cstdint>
#include <vector>

namespace spool::detail {

/// Who may go on. Fibers are numbered from 1 in the order in which they were first ready.
struct ready_fiber {
  runnable* what;
  std::uint32_t number;
};

class seeded_schedule {
 public:
  explicit seeded_schedule(const seeded_options& options) : options_(options) {}

  void begin(std::uint64_t seed);
  /// Never 0.
  std::uint64_t bits() noexcept;
  /// The place in `ready`, which is not empty.
  std::size_t choose(const std::vector<ready_fiber>& ready);
  /// A timer is due and fibers are ready: the timer first?
  bool timer_first() noexcept { return options_.order == testing::schedule::fifo || (bits() >> 63) != 0; }
  /// Fibers are ready and no timer is due: shall the next one fire all the same?
  bool timer_early() noexcept { return options_.early_timers && bits() >> 60 == 0; }
  /// The fiber gave way of its own accord: it may wait for another to do something.
  void yielded(std::uint32_t number);

  void set_length(std::uint64_t decisions) noexcept { options_.length = decisions; }
  /// A timer fires, which may make nobody ready, and be set again.
  void timer_fired() noexcept { ++idle_firings_; }
  bool endless() const noexcept {
    return decisions_ > options_.longest || idle_firings_ / firings_per_decision > options_.longest;
  }
  bool preempts() const noexcept { return options_.order != testing::schedule::fifo; }
  /// Moves what is known of the run to `o`.
  void tell(seeded_outcome& o);

 private:
  std::size_t highest(const std::vector<ready_fiber>& ready);
  std::uint64_t& priority(std::uint32_t number);

  seeded_options options_;
  std::uint64_t state_ = 0;
  std::uint64_t decisions_ = 0;
  static constexpr std::uint64_t firings_per_decision = 16;  // a ticker that nobody hears is no bug by itself
  std::uint64_t idle_firings_ = 0;                           // of timers, since the last decision
  std::uint64_t hash_ = 0;
  std::uint32_t last_ = 0;                 // the fiber chosen last
  std::uint64_t lowest_ = 0;               // given out so far; first priorities lie above all of these
  std::vector<std::uint64_t> priorities_;  // by number; 0: not drawn yet
  std::vector<std::uint64_t> changes_;     // decisions at which the running fiber is lowered, the last one first
  std::vector<std::uint32_t> trace_;
};

}  // namespace spool::detail
