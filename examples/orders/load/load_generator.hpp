#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <spool/spool.hpp>
#include <string>

#include "load/latency_histogram.hpp"
#include "load/order_ledger.hpp"

namespace orders {

struct load_options {
  std::size_t per_second = 50'000;
  std::size_t seconds = 5;
  std::size_t symbols = 16;
  std::size_t connections = 1;
};

struct load_report {
  load_totals totals;
  latency_histogram latencies;
  double held_per_second = 0;  // orders answered, up to the last answer
};

// Offers orders at a fixed rate, whether they are answered or not (open loop), and waits for all answers. `ctx` done:
// sends no more. A connection that cannot be made, or that `ctx` cuts short: std::runtime_error.
load_report offer_load(const spool::context& ctx, const std::string& host, const std::string& port,
                       const load_options& chosen);

// One line of headings and one of figures.
std::string to_table(const load_options& chosen, const load_report& report);

}  // namespace orders
