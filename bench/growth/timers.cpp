// Armed timers, per timer:
//   arm_ns     setting one to a time in the next hours, while the rest is set, too
//   cancel_ns  stopping one, in another order
//   fire_ns    between one firing and the next, when all are due (from 2 timers up)
#include "growth.hpp"

#include <algorithm>
#include <deque>

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::int64_t least_operations = 500'000;
constexpr std::int64_t most_firing_rounds = 200;

double firing_ns(std::deque<spool::timer>& timers, const std::vector<std::uint32_t>& order) {
  const auto count = static_cast<std::int64_t>(timers.size());
  const std::int64_t rounds = std::clamp<std::int64_t>(least_operations / count, 1, most_firing_rounds);
  std::chrono::duration<double, std::nano> firing{};
  for (std::int64_t round = 0; round < rounds; ++round) {
    const auto due = steady_clock::now() + count * 2us + 1ms;  // when all are armed
    for (std::size_t i = 0; i < timers.size(); ++i) timers[i].reset(due - steady_clock::now() - order[i] * 1ns);
    auto first = steady_clock::time_point::max();
    auto last = steady_clock::time_point::min();
    spool::this_fiber::sleep_until(due);
    for (spool::timer& t : timers) {
      const auto fired = t.c().recv().value();
      first = std::min(first, fired);
      last = std::max(last, fired);
    }
    firing += last - first;
  }
  return firing.count() / static_cast<double>(rounds * (count - 1));
}

growth::metrics measure(std::int64_t count) {
  const std::int64_t rounds = std::max<std::int64_t>(1, least_operations / count);
  const auto order = growth::shuffled(count);
  std::deque<spool::timer> timers;
  for (std::int64_t i = 0; i < count; ++i) timers.emplace_back(24h);
  double arm_ns = 0;
  double cancel_ns = 0;
  for (spool::timer& t : timers) t.stop();
  for (std::int64_t round = 0; round < rounds; ++round) {
    const growth::stopwatch arming;
    for (std::size_t i = 0; i < timers.size(); ++i) timers[i].reset(1h + order[i] * 1us);
    arm_ns += arming.ns_each(count * rounds);
    const growth::stopwatch cancelling;
    for (auto i = timers.size(); i-- > 0;) timers[order[i]].stop();
    cancel_ns += cancelling.ns_each(count * rounds);
  }
  growth::metrics measured{{"arm_ns", arm_ns}, {"cancel_ns", cancel_ns}};
  if (count > 1) measured.push_back({"fire_ns", firing_ns(timers, order)});
  return measured;
}

}  // namespace

int main(int count, char** arguments) {
  return growth::run(count, arguments, "growth_timers", growth::one_two_five(1'000'000), measure);
}
