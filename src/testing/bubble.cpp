#include <spool/testing/bubble.hpp>

#include "run_ending.hpp"

#include <optional>
#include <utility>

namespace spool::testing::detail {

void run_in_bubble(const bubble_options& options, std::function<void()> f, start_site where) {
  std::optional<schedule_failure> failure;
  {
    seeded_session session({.order = options.schedule, .longest = options.longest, .stack_bytes = options.stack_bytes});
    const auto note = [&](seeded_outcome& o) -> std::optional<std::uint64_t> {
      if (o.how != seeded_outcome::ending::done) failure.emplace(ending_of(o.how), std::move(o));
      return std::nullopt;
    };
    session.run(options.seed, std::move(f), note, where);
  }
  if (failure) throw schedule_failure(*failure);
}

}  // namespace spool::testing::detail
