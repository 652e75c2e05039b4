// The open orders of one symbol, matched by price, then by time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <optional>
#include <vector>

#include "wire.hpp"

namespace orders {

struct client;

struct order {
  client* owner = nullptr;
  std::uint64_t id = 0;
  std::uint64_t sent_at = 0;
  side way = side::buy;
  std::uint32_t price = 0;
  std::uint32_t remaining = 0;
};

// A resting order met an incoming one, at the resting order's price.
struct trade {
  order resting;  // as the trade left it: remaining 0, it is out of the book
  std::uint32_t quantity = 0;
};

// Memory of orders and price levels is used again: a book in a steady state allocates nothing. Not thread safe.
class order_book {
 public:
  using handle = std::uint32_t;
  static constexpr handle none = UINT32_MAX;

  order_book() = default;
  order_book(const order_book&) = delete;
  order_book& operator=(const order_book&) = delete;

  // Matches `incoming` as far as the other side crosses its price, appends the trades in their order, and lets the rest
  // join the book, behind the orders of its price: the handle by which it can be cancelled until a trade leaves
  // nothing of it. `none`: nothing was left. Of `incoming.remaining` the part that rests stays.
  handle submit(order& incoming, std::vector<trade>& trades);

  // Takes an order out of the book; what was left of it. The handle must be that of an order in the book.
  std::uint32_t cancel(handle which);

  std::optional<std::uint32_t> best(side way) const;
  std::uint64_t quantity_at(side way, std::uint32_t price) const;
  std::uint64_t resting_quantity() const;
  std::size_t size() const noexcept { return size_; }

 private:
  // Orders of one price are a list, oldest first, through the places that they have in nodes_.
  struct level {
    handle first = none;
    handle last = none;
    std::uint64_t quantity = 0;
  };
  using levels = std::pmr::map<std::uint32_t, level>;
  struct node {
    order held;
    levels::iterator at;
    handle previous = none;
    handle next = none;  // in a level, or among the free ones
  };

  levels& side_of(side way) noexcept { return way == side::buy ? bids_ : asks_; }
  const levels& side_of(side way) const noexcept { return way == side::buy ? bids_ : asks_; }
  handle rest(const order& incoming);
  void remove(handle which);
  handle free_node();

  std::pmr::unsynchronized_pool_resource level_memory_;
  levels bids_{&level_memory_};  // the best is the last
  levels asks_{&level_memory_};  // the best is the first
  std::vector<node> nodes_;
  handle free_ = none;
  std::size_t size_ = 0;
};

}  // namespace orders
