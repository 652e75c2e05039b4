// One connection as the stages know it, and what they tell each other about it.
//
// The channels carry plain pointers to it: `gone` is the last thing that the decoder says about a client, `last` the
// last thing that the matching stage says, and each stage forgets the client with it. The session, which owns the
// client, lives until the publisher has seen `last`.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "order_book.hpp"
#include "outbox.hpp"
#include "wire.hpp"

namespace orders {

struct open_order {
  std::uint32_t symbol;
  order_book::handle place;
};

struct client {
  client(std::string peer, std::size_t most_bytes, std::function<void()> disconnect_now)
      : name(std::move(peer)), out(most_bytes), disconnect(std::move(disconnect_now)) {}

  const std::string name;
  outbox out;                              // filled by the publisher, emptied by the session's writer
  const std::function<void()> disconnect;  // ends the session's reads and writes; never waits
  boost::unordered_flat_map<std::uint64_t, open_order> open;  // by the client's id; the matching stage's own
};

struct client_request {
  enum class what : std::uint8_t { message, malformed, gone };
  client* from = nullptr;
  what kind = what::message;
  request body;  // of a message
};

struct client_answer {
  client* to = nullptr;
  bool last = false;  // has no body
  answer body;
};

}  // namespace orders
