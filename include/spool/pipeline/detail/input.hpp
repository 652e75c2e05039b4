// What stages and helpers receive from: a receiver or a channel.
#pragma once

#include <spool/channel/endpoints.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace spool::detail {

template <class In>
struct item_of {};
template <class T>
struct item_of<receiver<T>> : std::type_identity<T> {};
template <class T>
struct item_of<channel<T>> : std::type_identity<T> {};

template <class In>
using item_t = typename item_of<std::remove_cvref_t<In>>::type;

template <class In>
concept Input = requires {
  typename item_t<In>;
};

[[noreturn]] void throw_nil_input(const char* taker);

/// The channel behind an endpoint. Nil: std::invalid_argument that names who was to receive from it. Moved from:
/// std::logic_error.
template <class Endpoint>
channel_base& channel_of(const Endpoint& endpoint, const char* taker) {
  channel_base* base = handle_access::base(endpoint, taker);
  if (base == nullptr) throw_nil_input(taker);
  return *base;
}

template <Input In>
receiver<item_t<In>> take_over(In&& in, const char* taker) {
  channel_of(in, taker);
  return receiver<item_t<In>>(std::forward<In>(in));
}

/// Sends on what it receives until one side is closed. The input was handed over: closed, it tells its senders that
/// nobody receives any more, whoever else holds a handle to it.
template <class T>
void forward_all(const receiver<T>& from, const sender<T>& to) {
  while (std::optional<T> item = from.recv()) {
    if (!to.send(std::move(*item))) {
      channel_of(from, "forward").close();
      return;
    }
  }
}

}  // namespace spool::detail
