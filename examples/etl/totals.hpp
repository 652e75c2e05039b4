#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <spool/spool.hpp>
#include <string>

#include "fields.hpp"

namespace etl {

// What is in the database because of this run.
struct totals {
  std::uint64_t rows = 0;
  std::uint64_t duplicates = 0;  // events whose id was there already
  std::uint64_t rejected = 0;    // lines that are no events
  std::array<std::uint64_t, field_count> degraded{};
  std::uint64_t earlier_lines = 0;  // of earlier runs, which were not read again

  std::uint64_t events() const noexcept { return rows + duplicates; }
};

struct service_report {
  spool::circuit_state state = spool::circuit_state::closed;
  std::uint64_t times_opened = 0;
  std::uint64_t retries = 0;
};

// One line, for progress. `done` from 0 to 1; below 0: nobody knows.
std::string describe(const totals& counts, double done, std::chrono::steady_clock::duration elapsed);

// What is printed at the end.
std::string report(const totals& counts, const std::array<service_report, field_count>& services,
                   std::chrono::steady_clock::duration elapsed);

}  // namespace etl
