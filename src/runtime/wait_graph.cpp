#include "wait_graph.hpp"

#include "coarse_clock.hpp"
#include "peek.hpp"
#include "scheduler.hpp"

#include <spool/runtime/detail/shared_holders.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace spool::detail {

/// Nobody has claimed it yet. The waiter may be gone by now, or its stack in other use: then the answer means nothing.
bool still_waits(const waiter* w) noexcept {
  waiter::outcome how = waiter::done;
  return peek(&w->outcome_, how) && how == waiter::pending;
}

namespace {

constexpr std::chrono::seconds long_wait{1};

bool is_lock(const char* waits_in) noexcept {
  return waits_in == mutex_wait || waits_in == shared_mutex_wait || waits_in == shared_mutex_read_wait;
}

/// What the lock that somebody waits for says; nothing if it is gone. A mutex has one holder, as if it were a writer.
shared_holders holders_of(const char* waits_in, const void* lock) noexcept {
  shared_holders found;
  if (waits_in == mutex_wait) {
    const fiber* owner = nullptr;
    if (peek(&static_cast<const lock_owner*>(lock)->last, owner)) found.writer = owner;
  } else if (!peek(lock, found)) {
    found = {};
  }
  return found;
}

std::span<const fiber* const> noted_readers(const shared_holders& h) noexcept {
  return {h.noted, std::min(h.readers, shared_holders::most_noted)};
}

std::uintptr_t disguised(const void* lock) noexcept { return ~reinterpret_cast<std::uintptr_t>(lock); }
const void* revealed(std::uintptr_t lock) noexcept { return reinterpret_cast<const void*>(~lock); }

struct known_fiber {
  std::uint64_t id = 0;
  std::string text;  // empty: it has ended
};
using known_fibers = std::unordered_map<const fiber*, known_fiber>;

/// Still in that wait.
bool waits_as_told(const fiber& f, const fiber_info& told) noexcept {
  return f.waiting.load(std::memory_order_relaxed) != nullptr &&
         f.wait_what.load(std::memory_order_relaxed) == told.waits_in &&
         f.wait_object.load(std::memory_order_relaxed) == told.object &&
         f.wait_since.load(std::memory_order_relaxed) == told.since;
}

known_fiber describe(fiber& f) {
  const std::uint64_t id = f.ensure_id();
  return {id, f.name != nullptr ? fmt::format("fiber {} \"{}\"", id, *f.name) : fmt::format("fiber {}", id)};
}

std::string describe(const fiber* holder, std::uint64_t waiting, const known_fibers& known) {
  const auto found = known.find(holder);
  if (found == known.end()) return {};
  return found->second.id == waiting ? "itself, or by one that ended with it on the same stack" : found->second.text;
}

std::string describe(const shared_holders& h, std::uint64_t waiting, const known_fibers& known) {
  if (h.readers == 0) {
    const std::string writer = describe(h.writer, waiting, known);
    return writer.empty() ? "nobody that is known: a plain thread, or a fiber that has ended" : writer;
  }
  std::vector<std::string> names;
  for (const fiber* reader : noted_readers(h)) {
    if (std::string name = describe(reader, waiting, known); !name.empty()) names.push_back(std::move(name));
  }
  if (names.size() < h.readers) names.push_back(fmt::format("{} unknown", h.readers - names.size()));
  return fmt::format("{} reader{}: {}", h.readers, h.readers == 1 ? "" : "s", fmt::join(names, ", "));
}

}  // namespace

void name_holders(std::span<fiber_info> fibers) {
  struct wait {
    fiber_info* info;
    shared_holders found;
    bool goes_on = false;
  };
  std::unordered_map<std::uint64_t, wait> waits;  // by the fiber's id
  known_fibers known;
  for (fiber_info& info : fibers) {
    if (!is_lock(info.waits_in)) continue;
    const shared_holders found = holders_of(info.waits_in, info.object);
    if (found.writer != nullptr) known.try_emplace(found.writer);
    for (const fiber* reader : noted_readers(found)) {
      if (reader != nullptr) known.try_emplace(reader);
    }
    waits.try_emplace(info.id, wait{&info, found});
  }
  if (waits.empty()) return;
  scheduler_registry::for_each_busy_fiber([&](fiber& f) {
    if (const auto found = known.find(&f); found != known.end()) found->second = describe(f);
    const auto w = waits.find(f.id.load(std::memory_order_relaxed));
    if (w != waits.end()) w->second.goes_on = waits_as_told(f, *w->second.info);
  });
  // Who waits no longer may have waited for a lock that was gone when it was read.
  for (auto& [id, w] : waits) {
    if (w.goes_on) w.info->holder = describe(w.found, id, known);
  }
}

std::vector<lock_ring> ring_finder::look(scheduler& of, time_point now) {
  struct wait {
    edge at;
    const waiter* self;
    const char* what;
    bool ours;
    const fiber* owner = nullptr;
    std::size_t visit = 0;
  };
  std::vector<wait> waits;
  scheduler_registry::for_each_busy_fiber([&](fiber& f) {
    const waiter* self = f.waiting.load(std::memory_order_relaxed);
    const char* what = f.wait_what.load(std::memory_order_relaxed);
    if (self == nullptr || !is_lock(what)) return;
    const std::uint32_t since = f.wait_since.load(std::memory_order_relaxed);
    if (coarse_clock::since(since, now) < long_wait) return;
    waits.push_back({{&f, disguised(f.wait_object.load(std::memory_order_relaxed)), since}, self, what, &f.owner == &of});
  });
  std::unordered_map<const fiber*, std::size_t> by_fiber;
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if (!still_waits(waits[i].self)) continue;
    waits[i].owner = holders_of(waits[i].what, revealed(waits[i].at.lock)).writer;
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
      const edge e{&f, disguised(f.wait_object.load(std::memory_order_relaxed)), f.wait_since.load(std::memory_order_relaxed)};
      if (std::find(ring.begin(), ring.end(), e) != ring.end()) {
        told.ring.push_back(f.owner.describe(f, now));
      } else if (std::any_of(ring.begin(), ring.end(), [&](const edge& r) { return r.lock == e.lock; })) {
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
