// The scheduler's register of fibers, and what it says about them.
#include "base/log.hpp"
#include "coarse_clock.hpp"
#include "scheduler.hpp"
#include "wait_graph.hpp"

#include <spool/runtime/detail/fiber_list.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <span>

namespace spool::detail {
namespace {

constexpr std::size_t most_lines = 1000;  // of one report

}  // namespace

void scheduler::enlist(fiber& f) noexcept {
  const std::lock_guard lock(registry_mutex_);
  fibers_.push_back(f);
  enlisted_.fetch_add(1, std::memory_order_relaxed);
}

void scheduler::delist(fiber& f) noexcept {
  const std::lock_guard lock(registry_mutex_);
  if (f.linked()) intrusive_list<fiber>::erase(f);
  enlisted_.fetch_sub(1, std::memory_order_relaxed);
  delete f.name;
}

void scheduler::rename(fiber& f, std::string_view name) {
  std::string* fresh = name.empty() ? nullptr : new std::string(name);
  {
    const std::lock_guard lock(registry_mutex_);
    std::swap(f.name, fresh);
  }
  delete fresh;
}

fiber_info scheduler::describe(fiber& f, time_point now) const {
  fiber_info info;
  info.id = f.ensure_id();
  if (f.name != nullptr) info.name = *f.name;
  info.started = {f.start_file.load(std::memory_order_relaxed), f.start_line.load(std::memory_order_relaxed)};
  if (f.in_boost.load(std::memory_order_relaxed)) {
    info.waits_in = "a primitive of Boost.Fiber";
  } else if (f.waiting.load(std::memory_order_relaxed) != nullptr) {
    info.waits_in = f.wait_what.load(std::memory_order_relaxed);
    info.object = f.wait_object.load(std::memory_order_relaxed);
    info.for_ever = info.object == nobody;
    if (info.for_ever) info.object = nullptr;
    info.since = f.wait_since.load(std::memory_order_relaxed);
    if (driver() == nullptr) info.waits_for = coarse_clock::since(info.since, now);
  }
  return info;
}

std::string scheduler::describe(const fiber* wanted) const {
  const std::lock_guard lock(registry_mutex_);
  for (fiber* f = fibers_.front(); f != nullptr; f = fibers_.next(*f)) {
    if (f == wanted) return to_string(describe(*f, clock::now()));
  }
  return "what cannot be told";
}

std::vector<fiber_info> scheduler::describe_all() {
  std::vector<fiber_info> listed;
  const time_point now = clock::now();
  const std::lock_guard lock(registry_mutex_);
  for (fiber* f = fibers_.front(); f != nullptr; f = fibers_.next(*f)) {
    if (f->busy()) listed.push_back(describe(*f, now));
  }
  return listed;
}

std::vector<fiber_info> list_fibers(scheduler& s) {
  std::vector<fiber_info> listed = s.describe_all();
  name_holders(listed);
  return listed;
}

std::string to_string(const fiber_info& f) {
  std::string line = fmt::format("fiber {} \"{}\" started at {}:{} ", f.id, f.name, f.started.file, f.started.line);
  if (f.waits_in == nullptr) return line += "running or ready";
  line += fmt::format("waits in {}", f.waits_in);
  if (f.for_ever) line += " on nothing that could end it";
  if (f.object != nullptr) line += fmt::format(" ({})", f.object);
  if (f.waits_for.count() > 0) line += fmt::format(" for {:.3f} s", static_cast<double>(f.waits_for.count()) / 1000);
  if (!f.holder.empty()) line += ", locked by " + f.holder;
  return line;
}

std::string to_lines(std::span<const fiber_info> fibers) {
  std::string lines;
  for (const fiber_info& f : fibers.first(std::min(fibers.size(), most_lines))) lines += "\n  " + to_string(f);
  if (fibers.size() > most_lines) lines += fmt::format("\n  and {} more", fibers.size() - most_lines);
  return lines;
}

spool::stack_usage scheduler::stack_usage() const {
  spool::stack_usage usage;
  usage.stack_bytes = stacks_.stack_bytes();
  usage.high_water = stacks_.watch_high_water();
  const std::lock_guard lock(registry_mutex_);
  for (fiber* f = fibers_.front(); f != nullptr; f = fibers_.next(*f)) {
    if (!f->stack) continue;
    ++usage.stacks;
    usage.high_water = std::max(usage.high_water, stack_depot::touched(f->stack));
  }
  return usage;
}

void scheduler::report_escaped_exception(const fiber& f) noexcept {
  std::string what = "an exception that is not a std::exception";
  try {
    throw;
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
  }
  const std::lock_guard lock(registry_mutex_);
  log()->critical("spool: an exception left fiber {} \"{}\", started at {}:{}: {}. Catch it in the fiber, or use async or "
                   "an errgroup, which hand it to who waits.",
                   const_cast<fiber&>(f).ensure_id(), f.name != nullptr ? *f.name : std::string(),
                   f.start_file.load(std::memory_order_relaxed), f.start_line.load(std::memory_order_relaxed), what);
  log()->flush();
}

}  // namespace spool::detail
