#include "wait_graph.hpp"

#include "coarse_clock.hpp"
#include "peek.hpp"
#include "scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace spool::detail {

/// Nobody has claimed it yet. The waiter may be gone by now, or its stack in other use: then the answer means nothing.
bool still_waits(const waiter* w) noexcept {
  waiter::outcome how = waiter::done;
  return peek(&w->outcome_, how) && how == waiter::pending;
}

namespace {

constexpr std::chrono::seconds long_wait{1};

const fiber* last_owner(const void* mutex) noexcept {
  const fiber* owner = nullptr;
  return peek(&static_cast<const lock_owner*>(mutex)->last, &owner, sizeof owner) ? owner : nullptr;
}

std::string describe_holder(fiber& f) {
  std::string text = fmt::format("fiber {}", f.ensure_id());
  return f.name != nullptr ? text + fmt::format(" \"{}\"", *f.name) : text;
}

}  // namespace

void name_holders(std::span<fiber_info> fibers) {
  std::unordered_map<const fiber*, std::vector<fiber_info*>> waiting_for;
  for (fiber_info& info : fibers) {
    if (info.waits_in != mutex_wait) continue;
    info.holder = "nobody that is known: a plain thread, or a fiber that has ended";
    if (const fiber* owner = last_owner(info.object)) waiting_for[owner].push_back(&info);
  }
  if (waiting_for.empty()) return;
  scheduler_registry::for_each_busy_fiber([&](fiber& f) {
    const auto found = waiting_for.find(&f);
    if (found == waiting_for.end()) return;
    for (fiber_info* info : found->second) {
      info->holder = info->id == f.ensure_id() ? "itself" : describe_holder(f);
    }
  });
}

std::vector<lock_ring> ring_finder::look(scheduler& of, time_point now) {
  struct wait {
    edge at;
    const waiter* self;
    bool ours;
    const fiber* owner = nullptr;
    std::size_t visit = 0;
  };
  std::vector<wait> waits;
  scheduler_registry::for_each_busy_fiber([&](fiber& f) {
    const waiter* self = f.waiting.load(std::memory_order_relaxed);
    if (self == nullptr || f.wait_what.load(std::memory_order_relaxed) != mutex_wait) return;
    const std::uint32_t since = f.wait_since.load(std::memory_order_relaxed);
    if (coarse_clock::since(since, now) < long_wait) return;
    waits.push_back({{&f, f.wait_object.load(std::memory_order_relaxed), since}, self, &f.owner == &of});
  });
  std::unordered_map<const fiber*, std::size_t> by_fiber;
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if (!still_waits(waits[i].self)) continue;
    waits[i].owner = last_owner(waits[i].at.mutex);
    by_fiber.emplace(waits[i].at.from, i);
  }

  std::vector<edge> in_rings;
  std::vector<std::vector<edge>> fresh;
  for (std::size_t start = 0; start < waits.size(); ++start) {
    const std::size_t visit = start + 1;
    auto at = by_fiber.find(waits[start].at.from);
    while (at != by_fiber.end() && waits[at->second].visit == 0) {
      waits[at->second].visit = visit;
      at = by_fiber.find(waits[at->second].owner);
    }
    if (at == by_fiber.end() || waits[at->second].visit != visit) continue;  // an end, or a ring that is known
    std::vector<edge> ring;
    bool ours = false;
    const fiber* first = nullptr;
    for (std::size_t i = at->second;;) {
      ring.push_back(waits[i].at);
      if (first == nullptr || std::less<>()(waits[i].at.from, first)) {
        first = waits[i].at.from;
        ours = waits[i].ours;
      }
      i = by_fiber.find(waits[i].owner)->second;
      if (i == at->second) break;
    }
    if (!ours) continue;
    const auto known = [](const std::vector<edge>& all, const edge& e) {
      return std::find(all.begin(), all.end(), e) != all.end();
    };
    const bool twice = std::all_of(ring.begin(), ring.end(), [&](const edge& e) { return known(seen_, e); });
    const bool told = std::any_of(ring.begin(), ring.end(), [&](const edge& e) { return known(reported_, e); });
    in_rings.insert(in_rings.end(), ring.begin(), ring.end());
    if (twice && !told) fresh.push_back(std::move(ring));
  }
  seen_ = std::move(in_rings);
  std::erase_if(reported_, [&](const edge& e) { return std::find(seen_.begin(), seen_.end(), e) == seen_.end(); });

  std::vector<lock_ring> rings;
  for (const std::vector<edge>& ring : fresh) {
    lock_ring told;
    scheduler_registry::for_each_busy_fiber([&](fiber& f) {
      if (f.waiting.load(std::memory_order_relaxed) == nullptr) return;
      const edge e{&f, f.wait_object.load(std::memory_order_relaxed), f.wait_since.load(std::memory_order_relaxed)};
      if (std::find(ring.begin(), ring.end(), e) != ring.end()) {
        told.ring.push_back(f.owner.describe(f, now));
      } else if (std::any_of(ring.begin(), ring.end(), [&](const edge& r) { return r.mutex == e.mutex; })) {
        told.behind.push_back(f.owner.describe(f, now));
      }
    });
    name_holders(told.ring);
    name_holders(told.behind);
    rings.push_back(std::move(told));
    reported_.insert(reported_.end(), ring.begin(), ring.end());
  }
  return rings;
}

}  // namespace spool::detail
