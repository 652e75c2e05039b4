// What a client believes about its orders, from the answers alone: each answered exactly once, each unit of quantity
// filled or cancelled exactly once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "load/latency_histogram.hpp"
#include "wire.hpp"

namespace orders {

struct load_totals {
  std::uint64_t orders = 0;  // sent
  std::uint64_t acks = 0;
  std::uint64_t rejects = 0;
  std::uint64_t cancels = 0;  // sent
  std::uint64_t cancelled = 0;
  std::uint64_t cancel_rejects = 0;
  std::uint64_t fills = 0;
  std::uint64_t bought = 0;
  std::uint64_t sold = 0;
  std::uint64_t contradictions = 0;  // answers that cannot be
  std::uint64_t open_quantity = 0;   // at the end, when the exchange has cancelled what was left: 0

  void add(const load_totals& other) noexcept;
  // What is wrong with them; empty: nothing was lost, nothing came from nowhere.
  std::string complaint() const;
};

// Ids are 0, 1, 2 … below `most_orders`. The sender and the receiver of one connection may use it at the same time.
class order_ledger {
 public:
  explicit order_ledger(std::size_t most_orders);

  // The sender's side.
  void sent(std::uint64_t id, std::uint32_t quantity) noexcept;
  bool maybe_open(std::uint64_t id) const noexcept { return state_[id].load(std::memory_order_relaxed) != 0; }
  void sent_cancel() noexcept { ++cancels_; }

  // The receiver's side.
  void answered(const answer& heard) noexcept;

  // When both have ended.
  load_totals totals() const;

 private:
  static constexpr std::uint32_t unanswered = 1u << 31;

  bool consistent(const answer& heard) noexcept;
  bool take(std::uint64_t id, std::uint32_t quantity) noexcept;

  const std::size_t most_orders_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> state_;  // open quantity, and whether it is unanswered
  std::uint64_t orders_ = 0;                             // the sender's own, as is:
  std::uint64_t cancels_ = 0;
  load_totals heard_;  // the receiver's own
};

}  // namespace orders
