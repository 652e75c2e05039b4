// The encoded answers of one connection, between the publisher, which must never wait for a client, and the fiber that
// writes them to the socket, which may.
#pragma once

#include <chrono>
#include <cstddef>
#include <spool/spool.hpp>
#include <vector>

#include "wire.hpp"

namespace orders {

class outbox {
 public:
  explicit outbox(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // The publisher's side. Answers gather where nobody else looks until commit() shows them to the writer, all at once.
  // True: the first since the last commit.
  bool add(const answer& message);
  // False: more than most_bytes wait to be written, and the client was given up; said once.
  [[nodiscard]] bool commit();
  // Nothing will follow. The last call: the outbox may be gone when it returns.
  void finish();

  // The writer's side. Waits for answers and swaps them for the content of `into`. False: nothing will follow.
  bool take(std::vector<std::byte>& into);
  // The answers cannot be written: drop them, these and all that follow.
  void abandon();

  // The decoder's side: backpressure for who sends faster than it reads. Waits until less than half of most_bytes
  // waits to be written, or nothing can be. False: that took longer than `patience`.
  [[nodiscard]] bool wait_for_room(std::chrono::milliseconds patience);

 private:
  const std::size_t most_bytes_;
  std::vector<std::byte> gathering_;  // the publisher's own
  spool::mutex mutex_;
  spool::condition_variable changed_;  // for the writer, of the three below
  spool::condition_variable room_;     // for the decoder, of the same
  std::vector<std::byte> waiting_;
  bool finished_ = false;
  bool abandoned_ = false;
};

}  // namespace orders
