#include "stuck_finder.hpp"

#include "leak_finder.hpp"
#include "scheduler.hpp"
#include "wait_graph.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace spool::detail {
namespace {

using namespace std::chrono_literals;

constexpr auto long_wait = 2000ms;
constexpr auto shortest_pause = 1000ms;
constexpr auto longest_pause = 64'000ms;
constexpr int most_of_the_time = 1000;  // between two searches, in times of what one takes: a thousandth of one CPU

/// What changes when anything runs in any runtime; nothing while something does.
std::optional<std::uint64_t> activity_at_rest() {
  std::uint64_t sum = 0;
  const bool rest = scheduler_registry::all_of([&](scheduler& s) {
    sum += s.activity();
    return s.at_rest();
  });
  if (!rest) return std::nullopt;
  return sum;
}

/// It waits for what comes from outside, for all who wait for it.
bool is_outpost(const fiber& f) noexcept {
  const char* what = f.wait_what.load(std::memory_order_relaxed);
  const std::string_view waits_in = f.waiting.load(std::memory_order_relaxed) != nullptr ? what : "";
  return waits_in == "asio operation" || waits_in == "context";
}

template <class T>
bool has(const std::vector<T>& in_order, const T& one) noexcept {
  return std::binary_search(in_order.begin(), in_order.end(), one);
}

}  // namespace

stuck_fibers stuck_finder::look(scheduler& of, time_point now) {
  if (now < next_search_) return {};
  const auto before = activity_at_rest();
  if (!before) return {};
  const auto nothing_ran = [&] { return activity_at_rest() == before && !of.stopping() && !of.exiting(); };
  auto unreachable = find_unreachable(long_wait, nothing_ran);
  bool fresh = false;
  stuck_fibers stuck;
  if (unreachable && nothing_ran()) {
    std::sort(unreachable->begin(), unreachable->end());
    std::vector<wait> all, seen;
    std::vector<std::uint64_t> to_tell;
    stuck.all = true;
    scheduler_registry::for_each_busy_fiber([&](fiber& f) {
      if (&f.owner != &of) return;
      const wait w{f.ensure_id(), f.wait_since.load(std::memory_order_relaxed)};
      all.push_back(w);
      if (!has(*unreachable, w.fiber)) {
        stuck.all = stuck.all && is_outpost(f);
        return;
      }
      seen.push_back(w);
      if (has(told_, w)) return;
      fresh = true;
      if (has(seen_, w)) to_tell.push_back(w.fiber);
    });
    std::sort(all.begin(), all.end());
    std::sort(seen.begin(), seen.end());
    std::sort(to_tell.begin(), to_tell.end());
    std::erase_if(told_, [&](const wait& w) { return !has(all, w); });
    seen_ = std::move(seen);
    tell(of, to_tell, now, stuck.found);
  }
  pause_ = fresh || !unreachable ? shortest_pause : std::clamp(pause_ * 2, shortest_pause, longest_pause);
  next_search_ = now + std::max<clock::duration>(pause_, (clock::now() - now) * most_of_the_time);
  return stuck;
}

void stuck_finder::tell(scheduler& of, const std::vector<std::uint64_t>& fibers, time_point now,
                        std::vector<fiber_info>& found) {
  found.reserve(fibers.size());  // what is left of a smaller one would pass for references to what they wait on
  scheduler_registry::for_each_busy_fiber([&](fiber& f) {
    if (&f.owner != &of || !has(fibers, f.ensure_id())) return;
    found.push_back(of.describe(f, now));
    told_.push_back({found.back().id, found.back().since});
  });
  std::sort(told_.begin(), told_.end());
  name_holders(found);
}

}  // namespace spool::detail
