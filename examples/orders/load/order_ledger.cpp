#include "load/order_ledger.hpp"

namespace orders {

void load_totals::add(const load_totals& other) noexcept {
  orders += other.orders;
  acks += other.acks;
  rejects += other.rejects;
  cancels += other.cancels;
  cancelled += other.cancelled;
  cancel_rejects += other.cancel_rejects;
  fills += other.fills;
  bought += other.bought;
  sold += other.sold;
  contradictions += other.contradictions;
  open_quantity += other.open_quantity;
}

std::string load_totals::complaint() const {
  const auto number = [](std::uint64_t n) { return std::to_string(n); };
  if (orders != acks + rejects) {
    return number(orders) + " orders sent, but " + number(acks) + " acks and " + number(rejects) + " rejects";
  }
  if (cancels != cancelled + cancel_rejects) {
    return number(cancels) + " cancels sent, but " + number(cancelled) + " done and " + number(cancel_rejects) +
           " rejected";
  }
  if (contradictions != 0) return number(contradictions) + " answers contradict what was sent or answered before";
  if (open_quantity != 0) return "a quantity of " + number(open_quantity) + " neither filled nor cancelled";
  if (bought != sold) {
    return "bought " + number(bought) + ", sold " + number(sold) + " (do others trade the same symbols?)";
  }
  return {};
}

order_ledger::order_ledger(std::size_t most_orders)
    : most_orders_(most_orders), state_(new std::atomic<std::uint32_t>[most_orders]()) {}

void order_ledger::sent(std::uint64_t id, std::uint32_t quantity) noexcept {
  state_[id].store(quantity | unanswered, std::memory_order_relaxed);
  ++orders_;
}

void order_ledger::answered(const answer& heard) noexcept {
  if (!consistent(heard)) ++heard_.contradictions;
}

bool order_ledger::consistent(const answer& heard) noexcept {
  if (heard.id >= most_orders_) return false;
  std::atomic<std::uint32_t>& state = state_[heard.id];
  const std::uint32_t before = state.load(std::memory_order_relaxed);
  switch (heard.kind) {
    case answer_kind::ack:
      ++heard_.acks;
      state.store(before & ~unanswered, std::memory_order_relaxed);
      return (before & unanswered) != 0;
    case answer_kind::reject:
      if (heard.of == request_kind::cancel) {
        ++heard_.cancel_rejects;
        return true;
      }
      ++heard_.rejects;
      state.store(0, std::memory_order_relaxed);
      return (before & unanswered) != 0;
    case answer_kind::fill:
      ++heard_.fills;
      (heard.way == side::buy ? heard_.bought : heard_.sold) += heard.quantity;
      return take(heard.id, heard.quantity) && state.load(std::memory_order_relaxed) == heard.remaining;
    case answer_kind::cancelled:
      if (heard.sent_at != 0) ++heard_.cancelled;  // 0: by the exchange, when the connection ended
      return take(heard.id, heard.quantity) && state.load(std::memory_order_relaxed) == 0;
  }
  return false;
}

bool order_ledger::take(std::uint64_t id, std::uint32_t quantity) noexcept {
  const std::uint32_t before = state_[id].load(std::memory_order_relaxed);
  if (quantity == 0 || (before & unanswered) != 0 || before < quantity) return false;
  state_[id].store(before - quantity, std::memory_order_relaxed);
  return true;
}

load_totals order_ledger::totals() const {
  load_totals sums = heard_;
  sums.orders = orders_;
  sums.cancels = cancels_;
  for (std::size_t i = 0; i < most_orders_; ++i) {
    sums.open_quantity += state_[i].load(std::memory_order_relaxed) & ~unanswered;
  }
  return sums;
}

}  // namespace orders
