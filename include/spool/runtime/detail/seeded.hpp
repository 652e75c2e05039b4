// Runtimes whose schedule comes from a seed, as spool/testing uses them: one thread runs every fiber, home decides before
// each operation who goes on, and time is virtual: it moves, to the next timer, when every fiber waits.
#pragma once

#include <spool/base/clock.hpp>
#include <spool/base/start_site.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace spool {

class runtime;

namespace testing {

/// Which of the fibers that are ready goes on.
enum class schedule : std::uint8_t {
  fifo,     ///< who has been ready the longest, until it waits or yields, as without a seed
  uniform,  ///< at each operation any of them, all equally likely
  pct,      ///< the one of highest priority: drawn at its start, lowered at depth - 1 moments and when it yields
};

}  // namespace testing

namespace detail {

class seeded;

struct seeded_options {
  testing::schedule order = testing::schedule::uniform;
  unsigned depth = 5;                    // pct: one more than there are changes of priority
  std::uint64_t length = 100;            // pct: decisions among which the changes fall
  std::uint64_t longest = 1'000'000;     // decisions of a run; more are taken for endless
  bool early_timers = false;             // a timer may fire while fibers are ready, as if they had been slow
  std::size_t stack_bytes = 128 * 1024;
};

/// How one run ended.
struct seeded_outcome {
  enum class ending : std::uint8_t { done, thrown, escaped, deadlock, leak, endless };
  std::uint64_t seed = 0;
  ending how = ending::done;
  std::exception_ptr exception;     // thrown, escaped
  std::string culprit;              // escaped: the fiber
  std::vector<std::string> fibers;  // that had not ended
  std::vector<std::uint32_t> trace; // the number of the fiber chosen, wherever there was a choice
  std::uint64_t hash = 0;           // of the trace and of how many there were to choose from
  std::uint64_t decisions = 0;      // those without a choice included
  bool outside = false;             // another thread took part, so that the seed alone may not replay it
};

/// A seeded runtime for many runs. After a run that left fibers behind it takes no further one.
class seeded_session {
 public:
  /// Called between two runs, on no fiber: the seed of the next, or none.
  using next_seed = std::function<std::optional<std::uint64_t>(seeded_outcome&)>;

  explicit seeded_session(const seeded_options& options);
  ~seeded_session();
  seeded_session(const seeded_session&) = delete;
  seeded_session& operator=(const seeded_session&) = delete;

  /// Runs f as a fiber under `seed`, then under the seeds that `next` gives; each run ends when all its fibers have. A
  /// plain thread blocks meanwhile, a fiber of another runtime parks; on a fiber of a seeded one: std::logic_error.
  void run(std::uint64_t seed, std::function<void()> f, next_seed next, start_site where);
  void set_length(std::uint64_t decisions) noexcept;

 private:
  std::unique_ptr<runtime> runtime_;
  seeded* driver_;
};

bool on_seeded_fiber() noexcept;

/// The seed of the calling fiber's run. Elsewhere: std::logic_error.
std::uint64_t seed_of_run();

/// Waits until every other fiber of the calling fiber's seeded runtime waits. Elsewhere: std::logic_error.
void wait_until_settled();

}  // namespace detail
}  // namespace spool
