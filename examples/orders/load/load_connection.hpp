// One connection of the load generator: sends its share of a schedule that does not ask how the exchange keeps up,
// and listens.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <spool/net/tcp_stream.hpp>
#include <spool/spool.hpp>
#include <vector>

#include "load/latency_histogram.hpp"
#include "load/order_ledger.hpp"
#include "wire.hpp"

namespace orders {

using load_clock = std::chrono::steady_clock;

// Order k of the whole load is meant to be sent at start + k / rate; connection i of n sends those with k % n == i.
struct load_schedule {
  load_clock::time_point start;
  std::uint64_t per_second = 1;
  std::uint64_t orders = 0;
  std::size_t connections = 1;
  std::uint32_t symbols = 1;
};

class load_connection {
 public:
  load_connection(boost::asio::ip::tcp::socket socket, const load_schedule& schedule, std::size_t index);

  // Sends until the schedule's end or until ctx is done, then hears the exchange out.
  void run(const spool::context& ctx);

  // Once run() has returned.
  load_totals totals() const { return ledger_.totals(); }
  // From the time at which an order was meant to be sent to the time at which its ack or reject was read.
  const latency_histogram& latencies() const noexcept { return latencies_; }
  load_clock::time_point last_answer() const noexcept { return last_answer_; }

 private:
  void send(const spool::context& ctx);
  // Encodes the orders that are due, and cancels of old ones; the number of bytes.
  std::size_t encode_due(std::span<std::byte> into, load_clock::time_point now);
  void receive();
  // The bytes that were whole frames.
  std::size_t take_answers(std::span<const std::byte> in);
  request make_order();
  std::chrono::nanoseconds due(std::uint64_t own_order) const noexcept;

  spool::tcp_stream stream_;
  const load_schedule& schedule_;
  const std::size_t index_;
  const std::uint64_t planned_;
  std::uint64_t next_ = 0;
  std::minstd_rand random_;
  order_ledger ledger_;
  latency_histogram latencies_;
  load_clock::time_point last_answer_;
};

}  // namespace orders
