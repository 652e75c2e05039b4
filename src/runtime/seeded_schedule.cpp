#include "seeded_schedule.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace spool::detail {
namespace {

constexpr std::uint64_t first_priorities = std::uint64_t{1} << 63;

std::uint64_t mixed(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

void seeded_schedule::begin(std::uint64_t seed) {
  state_ = mixed(seed + 0x9e3779b97f4a7c15u);
  decisions_ = idle_firings_ = 0;
  hash_ = 0;
  last_ = 0;
  lowest_ = first_priorities;
  priorities_.clear();
  changes_.clear();
  trace_.clear();
  if (options_.order != testing::schedule::pct) return;
  for (unsigned i = 1; i < options_.depth; ++i) changes_.push_back(1 + bits() % std::max<std::uint64_t>(options_.length, 1));
  std::sort(changes_.begin(), changes_.end(), std::greater<>());
}

std::uint64_t seeded_schedule::bits() noexcept {
  const std::uint64_t z = mixed(state_ += 0x9e3779b97f4a7c15u);
  return z != 0 ? z : 1;
}

std::size_t seeded_schedule::choose(const std::vector<ready_fiber>& ready) {
  ++decisions_;
  idle_firings_ = 0;
  while (!changes_.empty() && changes_.back() <= decisions_) {
    changes_.pop_back();
    if (last_ != 0) priority(last_) = --lowest_;
  }
  std::size_t chosen = 0;
  if (ready.size() > 1) {
    switch (options_.order) {
      case testing::schedule::fifo: break;
      case testing::schedule::uniform: chosen = ((bits() >> 32) * ready.size()) >> 32; break;
      case testing::schedule::pct: chosen = highest(ready); break;
    }
    hash_ = mixed(hash_ ^ (std::uint64_t{ready[chosen].number} << 32 | ready.size()));
    trace_.push_back(ready[chosen].number);
  }
  last_ = ready[chosen].number;
  return chosen;
}

std::size_t seeded_schedule::highest(const std::vector<ready_fiber>& ready) {
  std::size_t best = 0;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < ready.size(); ++i) {
    const std::uint64_t p = priority(ready[i].number);
    if (p <= most) continue;
    most = p;
    best = i;
  }
  return best;
}

std::uint64_t& seeded_schedule::priority(std::uint32_t number) {
  if (priorities_.size() <= number) priorities_.resize(number + 1);
  std::uint64_t& p = priorities_[number];
  if (p == 0) p = bits() | first_priorities;
  return p;
}

void seeded_schedule::yielded(std::uint32_t number) {
  if (options_.order == testing::schedule::pct) priority(number) = --lowest_;
}

void seeded_schedule::tell(seeded_outcome& o) {
  o.hash = hash_;
  o.decisions = decisions_;
  o.trace = std::move(trace_);
  trace_ = {};
}

}  // namespace spool::detail
