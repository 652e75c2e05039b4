// What the three stages of the workload do, without the channels between them; go/main.go does the same, to the trade.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace orders {

enum side : std::uint32_t { buy = 0, sell = 1 };

constexpr std::uint32_t symbols = 16;
constexpr std::uint32_t price_levels = 41;
constexpr std::uint32_t lowest_price = 9'980;
constexpr std::uint32_t most_quantity = 100;
constexpr std::size_t lifetime = 4096;  // an order that is still open when that many more have come expires

struct order {
  std::uint64_t id = 0;      // 0, 1, 2 …
  std::uint64_t due_ns = 0;  // since the start of the load
  std::uint32_t symbol = 0;
  std::uint32_t way = buy;
  std::uint32_t price = 0;
  std::uint32_t quantity = 0;
};

using frame = std::array<std::byte, 32>;  // little-endian, the fields in their order

inline frame encode(const order& o) {
  frame out;
  static_assert(sizeof out == sizeof o && std::endian::native == std::endian::little);
  std::memcpy(out.data(), &o, sizeof o);
  return out;
}

// False: not an order.
inline bool decode(const frame& in, order& o) {
  std::memcpy(&o, in.data(), sizeof o);
  return o.symbol < symbols && o.way <= sell && o.price - lowest_price < price_levels && o.quantity - 1 < most_quantity;
}

struct event {
  enum what : std::uint32_t { trade, expired, accepted };
  std::uint64_t id = 0;      // of the order; of a trade: of the one that rested
  std::uint64_t due_ns = 0;  // of `accepted`, the last event of each order
  what kind = accepted;
  std::uint32_t price = 0;
  std::uint32_t quantity = 0;  // traded, expired, or left to rest
};

// The generator's orders: a sequence that every language can repeat.
class order_source {
 public:
  order make(std::uint64_t id, std::uint64_t due_ns) {
    order o{.id = id, .due_ns = due_ns};
    o.symbol = below(symbols);
    o.way = below(2);
    o.price = lowest_price + below(price_levels);
    o.quantity = 1 + below(most_quantity);
    return o;
  }

 private:
  std::uint32_t below(std::uint32_t n) {
    state_ = state_ * 48'271 % 2'147'483'647;
    return static_cast<std::uint32_t>(state_ % n);
  }
  std::uint64_t state_ = 1;
};

// Price, then time. Open orders lie in a ring by their id, and are linked by price level.
class order_books {
 public:
  // Calls publish(event) for what the order does, `accepted` last.
  template <class Publish>
  void match(const order& o, Publish&& publish) {
    accepted_ += o.quantity;
    if (resting& old = open_[o.id % lifetime]; old.quantity > 0) {
      expired_ += old.quantity;
      publish(event{.id = old.id, .kind = event::expired, .quantity = old.quantity});
      remove(o.id % lifetime);
    }
    std::uint32_t left = o.quantity;
    const std::uint32_t limit = o.price - lowest_price;
    book_side& other = books_[o.symbol][1 - o.way];
    while (left > 0 && other.used != 0) {
      const auto best =
          static_cast<std::uint32_t>(o.way == buy ? std::countr_zero(other.used) : 63 - std::countl_zero(other.used));
      if (o.way == buy ? best > limit : best < limit) break;
      const std::size_t oldest = other.levels[best].first;
      resting& met = open_[oldest];
      const std::uint32_t quantity = met.quantity < left ? met.quantity : left;
      left -= quantity;
      met.quantity -= quantity;
      traded_ += quantity;
      ++trades_;
      publish(event{.id = met.id, .kind = event::trade, .price = lowest_price + best, .quantity = quantity});
      if (met.quantity == 0) remove(oldest);
    }
    if (left > 0) rest(o, left);
    publish(event{.id = o.id, .due_ns = o.due_ns, .kind = event::accepted, .price = o.price, .quantity = left});
  }

  std::uint64_t trades() const { return trades_; }

  // Nothing came from nowhere, nothing was lost.
  bool balanced() const {
    std::uint64_t resting_quantity = 0;
    for (const resting& r : open_) resting_quantity += r.quantity;
    return accepted_ == 2 * traded_ + expired_ + resting_quantity;
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  struct level {
    std::uint32_t first = none;
    std::uint32_t last = none;
  };
  struct book_side {
    std::uint64_t used = 0;  // a bit for each level that has orders
    std::array<level, price_levels> levels;
  };
  struct resting {
    std::uint64_t id = 0;
    std::uint32_t quantity = 0;  // 0: the place is free
    std::uint32_t symbol = 0;
    std::uint32_t way = buy;
    std::uint32_t at = 0;  // level
    std::uint32_t previous = none;
    std::uint32_t next = none;
  };

  void rest(const order& o, std::uint32_t left) {
    const auto place = static_cast<std::uint32_t>(o.id % lifetime);
    const std::uint32_t at = o.price - lowest_price;
    book_side& own = books_[o.symbol][o.way];
    level& l = own.levels[at];
    open_[place] = {o.id, left, o.symbol, o.way, at, l.last, none};
    (l.last == none ? l.first : open_[l.last].next) = place;
    l.last = place;
    own.used |= std::uint64_t{1} << at;
  }

  void remove(std::size_t place) {
    resting& gone = open_[place];
    book_side& own = books_[gone.symbol][gone.way];
    level& l = own.levels[gone.at];
    (gone.previous == none ? l.first : open_[gone.previous].next) = gone.next;
    (gone.next == none ? l.last : open_[gone.next].previous) = gone.previous;
    if (l.first == none) own.used &= ~(std::uint64_t{1} << gone.at);
    gone.quantity = 0;
  }

  std::array<std::array<book_side, 2>, symbols> books_;
  std::vector<resting> open_ = std::vector<resting>(lifetime);
  std::uint64_t accepted_ = 0;
  std::uint64_t traded_ = 0;  // both sides of a trade count its quantity once
  std::uint64_t expired_ = 0;
  std::uint64_t trades_ = 0;
};

// The published events as bytes, in a buffer that begins anew when it is full; and each order's latency.
class feed {
 public:
  explicit feed(std::size_t orders) : latencies_ns_(orders) {}

  std::chrono::steady_clock::time_point start() { return start_ = std::chrono::steady_clock::now(); }

  void publish(const event& e) {
    std::memcpy(bytes_.data() + at_, &e, sizeof e);
    at_ = (at_ + sizeof e) % bytes_.size();
    if (e.kind != event::accepted) return;
    last_ns_ = static_cast<std::uint64_t>((std::chrono::steady_clock::now() - start_).count());
    latencies_ns_[published_++] = static_cast<std::uint32_t>(std::min<std::uint64_t>(last_ns_ - e.due_ns, UINT32_MAX));
  }

  std::uint64_t published() const { return published_; }
  std::uint64_t last_ns() const { return last_ns_; }  // after the start
  std::vector<std::uint32_t>& latencies_ns() { return latencies_ns_; }

 private:
  std::array<std::byte, 2048 * sizeof(event)> bytes_;
  std::size_t at_ = 0;
  std::chrono::steady_clock::time_point start_;
  std::uint64_t published_ = 0;
  std::uint64_t last_ns_ = 0;
  std::vector<std::uint32_t> latencies_ns_;
};

}  // namespace orders
