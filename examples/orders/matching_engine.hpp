// The matching stage without its channels: one book per symbol, and who owns what is in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "client.hpp"
#include "order_book.hpp"

namespace orders {

// What the engine has done so far. Quantities are sums.
struct engine_totals {
  std::uint64_t orders = 0;  // acks + rejects
  std::uint64_t acks = 0;
  std::uint64_t rejects = 0;  // of new orders
  std::uint64_t cancels = 0;  // requested; answered by cancelled or reject
  std::uint64_t cancel_rejects = 0;
  std::uint64_t trades = 0;
  std::uint64_t accepted_quantity = 0;
  std::uint64_t bought = 0;  // as told to the buyers; sold: to the sellers
  std::uint64_t sold = 0;
  std::uint64_t cancelled_quantity = 0;
  std::uint64_t resting_quantity = 0;  // counted in the books

  // Nothing came from nowhere, nothing was lost.
  bool balanced() const noexcept {
    return orders == acks + rejects && bought == sold &&
           accepted_quantity == bought + sold + cancelled_quantity + resting_quantity;
  }
};

class matching_engine {
 public:
  static constexpr std::uint32_t most_quantity = 1'000'000;
  static constexpr std::size_t most_open = 16'384;  // of one client

  explicit matching_engine(std::size_t symbols);

  // Appends the answers: to the client, and to those whose resting orders it met. A client that is gone has its open
  // orders cancelled.
  void handle(const client_request& request, std::vector<client_answer>& answers);

  engine_totals totals() const;

 private:
  void place(client& from, const request& wanted, std::vector<client_answer>& answers);
  void cancel(client& from, const request& wanted, std::vector<client_answer>& answers);
  void cancel_all(client& from, std::vector<client_answer>& answers);
  void report(const order& incoming, std::vector<client_answer>& answers);

  std::vector<std::unique_ptr<order_book>> books_;  // by symbol
  std::vector<trade> trades_;                       // of the order in hand
  engine_totals totals_;
};

}  // namespace orders
