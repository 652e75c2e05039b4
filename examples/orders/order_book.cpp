#include "order_book.hpp"

#include <algorithm>
#include <iterator>

namespace orders {
namespace {

bool crosses(const order& incoming, std::uint32_t resting_price) {
  return incoming.way == side::buy ? resting_price <= incoming.price : resting_price >= incoming.price;
}

}  // namespace

order_book::handle order_book::submit(order& incoming, std::vector<trade>& trades) {
  levels& others = side_of(incoming.way == side::buy ? side::sell : side::buy);
  while (incoming.remaining > 0 && !others.empty()) {
    const auto best = incoming.way == side::buy ? others.begin() : std::prev(others.end());
    if (!crosses(incoming, best->first)) break;
    const handle oldest = best->second.first;
    order& resting = nodes_[oldest].held;
    const std::uint32_t quantity = std::min(incoming.remaining, resting.remaining);
    incoming.remaining -= quantity;
    resting.remaining -= quantity;
    best->second.quantity -= quantity;
    trades.push_back({resting, quantity});
    if (resting.remaining == 0) remove(oldest);
  }
  return incoming.remaining == 0 ? none : rest(incoming);
}

std::uint32_t order_book::cancel(handle which) {
  const std::uint32_t left = nodes_[which].held.remaining;
  nodes_[which].at->second.quantity -= left;
  remove(which);
  return left;
}

order_book::handle order_book::rest(const order& incoming) {
  const handle place = free_node();
  const auto at = side_of(incoming.way).try_emplace(incoming.price).first;
  level& orders = at->second;
  nodes_[place] = {incoming, at, orders.last, none};
  (orders.last == none ? orders.first : nodes_[orders.last].next) = place;
  orders.last = place;
  orders.quantity += incoming.remaining;
  ++size_;
  return place;
}

void order_book::remove(handle which) {
  node& gone = nodes_[which];
  level& orders = gone.at->second;
  (gone.previous == none ? orders.first : nodes_[gone.previous].next) = gone.next;
  (gone.next == none ? orders.last : nodes_[gone.next].previous) = gone.previous;
  if (orders.first == none) side_of(gone.held.way).erase(gone.at);
  gone.next = free_;
  free_ = which;
  --size_;
}

order_book::handle order_book::free_node() {
  if (free_ == none) {
    nodes_.emplace_back();
    return static_cast<handle>(nodes_.size() - 1);
  }
  const handle place = free_;
  free_ = nodes_[place].next;
  return place;
}

std::optional<std::uint32_t> order_book::best(side way) const {
  const levels& own = side_of(way);
  if (own.empty()) return std::nullopt;
  return way == side::buy ? own.rbegin()->first : own.begin()->first;
}

std::uint64_t order_book::quantity_at(side way, std::uint32_t price) const {
  const auto found = side_of(way).find(price);
  return found == side_of(way).end() ? 0 : found->second.quantity;
}

std::uint64_t order_book::resting_quantity() const {
  std::uint64_t sum = 0;
  for (const levels* own : {&bids_, &asks_}) {
    for (const auto& [price, orders] : *own) {
      for (handle at = orders.first; at != none; at = nodes_[at].next) sum += nodes_[at].held.remaining;
    }
  }
  return sum;
}

}  // namespace orders
