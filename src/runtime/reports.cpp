// The scheduler's register of fibers, and what it says about them.
#include "base/log.hpp"
#include "scheduler.hpp"

#include <fmt/format.h>

#include <exception>

namespace spool::detail {

void scheduler::enlist(fiber& f) noexcept {
  const std::lock_guard lock(registry_mutex_);
  fibers_.push_back(f);
}

void scheduler::delist(fiber& f) noexcept {
  const std::lock_guard lock(registry_mutex_);
  if (f.linked()) intrusive_list<fiber>::erase(f);
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

std::string scheduler::describe(const fiber& f) const {
  const char* what = f.wait_what.load(std::memory_order_relaxed);
  std::string state = "running or ready";
  if (f.in_boost.load(std::memory_order_relaxed)) {
    state = "waits in a primitive of Boost.Fiber";
  } else if (f.waiting.load(std::memory_order_relaxed) != nullptr && what != nullptr) {
    state = fmt::format("waits in {} ({})", what, f.wait_object.load(std::memory_order_relaxed));
  }
  return fmt::format("fiber {} \"{}\" started at {}:{} {}", const_cast<fiber&>(f).ensure_id(),
                     f.name != nullptr ? *f.name : std::string(), f.start_file.load(std::memory_order_relaxed),
                     f.start_line.load(std::memory_order_relaxed), state);
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
