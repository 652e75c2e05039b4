#include <spool/testing/explore.hpp>

#include "run_ending.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace spool::testing::detail {
namespace {

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  const std::string_view view(text);
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(view.data(), view.data() + view.size(), number);
  if (failure != std::errc{} || end != view.data() + view.size()) {
    throw std::invalid_argument(fmt::format("{} is \"{}\"; set it to a number, or unset it", name, view));
  }
  return number;
}

}  // namespace

exploration explore(const explore_options& options, std::function<void()> f, start_site where) {
  const std::optional<std::uint64_t> replayed = number_from_environment("SPOOL_SEED");
  const std::uint64_t seeds = replayed ? 1 : number_from_environment("SPOOL_SEEDS").value_or(options.seeds);
  if (seeds == 0) return {};

  exploration result;
  std::vector<std::uint64_t> hashes;
  std::optional<schedule_failure> failure;
  const auto check = [&](seeded_outcome& o) {
    ++result.runs;
    result.decisions += o.decisions;
    result.hash = o.hash;
    const bool done = o.how == seeded_outcome::ending::done;
    if (done && (options.failed == nullptr || !options.failed())) return true;
    failure.emplace(ending_of(o.how), std::move(o));
    return false;
  };
  {
    seeded_session session({.order = options.schedule,
                            .depth = options.depth,
                            .longest = options.longest,
                            .early_timers = options.early_timers,
                            .stack_bytes = options.stack_bytes});
    if (options.schedule == schedule::pct) {
      // How long a run is: pct spreads its changes over that. Always under the same seed, so that a replay sees the same.
      const auto measure = [&](seeded_outcome& o) -> std::optional<std::uint64_t> {
        session.set_length(o.decisions);
        (void)check(o);
        return std::nullopt;
      };
      session.run(0, f, measure, where);
      result = {};
    }
    const auto next = [&](seeded_outcome& o) -> std::optional<std::uint64_t> {
      hashes.push_back(o.hash);
      if (!check(o) || result.runs == seeds) return std::nullopt;
      return o.seed + 1;
    };
    if (!failure) session.run(replayed.value_or(options.first_seed), f, next, where);
  }
  if (failure) {
    throw schedule_failure(*failure);
  }
  std::sort(hashes.begin(), hashes.end());
  result.distinct = static_cast<std::uint64_t>(std::unique(hashes.begin(), hashes.end()) - hashes.begin());
  return result;
}

}  // namespace spool::testing::detail
