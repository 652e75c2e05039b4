// Suites that look at what reports say of the fibers of the calling one's runtime.
#pragma once

#include <spool/runtime/detail/fiber_list.hpp>

#include <support/runtimes.hpp>

#include <optional>
#include <string>
#include <vector>

namespace spool_test {

class ReportedFibers : public WithWorkers {
 protected:
  static std::vector<spool::detail::fiber_info> fibers() {
    return spool::detail::list_fibers(spool::detail::require_scheduler("test"));
  }
  static std::optional<spool::detail::fiber_info> named(const std::string& name) {
    for (const spool::detail::fiber_info& f : fibers()) {
      if (f.name == name) return f;
    }
    return std::nullopt;
  }
  /// Once it waits.
  static spool::detail::fiber_info waiting(const std::string& name) {
    std::optional<spool::detail::fiber_info> f;
    wait_until([&] { return (f = named(name)) && f->waits_in != nullptr; });
    return *f;
  }
};

}  // namespace spool_test
