// The sequential oracle: channels, a semaphore, a mutex and a context as one small state, and which answers of an
// operation that state allows.
#pragma once

#include "models/history.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace spool_test {

class oracle {
 public:
  explicit oracle(const history& h) {
    std::memset(&state_, 0, sizeof state_);  // its bytes are compared
    for (std::size_t i = 0; i < h.capacities.size(); ++i) state_.channels[i].capacity = h.capacities[i];
    state_.units = h.units;
  }

  /// True: `op` may have had its effect, and its answer, at this moment; the effect is then made. `contended`: others
  /// ask for the semaphore too, and stand before it perhaps.
  bool take(const operation& op, bool contended) {
    switch (op.result) {
      case answer::canceled: return state_.canceled;
      case answer::would_block:
      case answer::timeout: return op.is_select() ? all_block(op) : blocks(op) || (op.what == action::acquire && contended);
      case answer::closed: return is_closed(op);
      case answer::ok: return perform(op);
    }
    return false;
  }

  /// A rendezvous: both have their effect at once.
  bool take_both(const operation& sent, const operation& received) {
    if (sent.result != answer::ok || received.result != answer::ok) return false;
    if (sent.what != action::send || received.what != action::recv || sent.object != received.object) return false;
    const channel& c = state_.channels[sent.object];
    return c.capacity == 0 && !c.closed && sent.value == received.value && sent.fiber != received.fiber;
  }

  std::uint64_t hash() const noexcept {
    std::uint64_t h = 0xcbf29ce484222325u;
    unsigned char bytes[sizeof state_];
    std::memcpy(bytes, &state_, sizeof state_);
    for (const unsigned char b : bytes) h = (h ^ b) * 0x100000001b3u;
    return h;
  }

 private:
  static constexpr std::size_t most_channels = 3;
  static constexpr std::size_t most_values = 4;

  struct channel {
    std::uint8_t capacity;
    std::uint8_t count;
    std::uint8_t closed;
    std::uint8_t values[most_values];  // those beyond count are 0
  };
  struct whole {
    channel channels[most_channels];
    std::uint8_t units;
    std::uint8_t locked;
    std::uint8_t canceled;
  };

  /// It has to wait. Of a rendezvous that is always possible: the other side may not have come that far.
  bool blocks(const step& s) const {
    const channel& c = state_.channels[s.object];
    switch (s.what) {
      case action::send: return !c.closed && c.count == c.capacity;
      case action::recv: return !c.closed && c.count == 0;
      case action::acquire: return state_.units < s.value;
      case action::lock: return state_.locked;
      default: return false;
    }
  }

  bool all_block(const operation& op) const {
    return !(op.watches_context && state_.canceled) &&
           std::all_of(op.cases.begin(), op.cases.end(), [this](const step& s) { return blocks(s); });
  }

  bool is_closed(const step& s) const {
    const channel& c = state_.channels[s.object];
    return c.closed && (s.what != action::recv || c.count == 0);
  }

  bool perform(const step& s) {
    channel& c = state_.channels[s.object];
    switch (s.what) {
      case action::send:
        if (c.closed || c.count >= c.capacity) return false;
        c.values[c.count++] = s.value;
        return true;
      case action::recv:
        if (c.count == 0 || c.values[0] != s.value) return false;
        std::copy(c.values + 1, c.values + c.count, c.values);
        c.values[--c.count] = 0;
        return true;
      case action::close: return !std::exchange(c.closed, std::uint8_t{1});
      case action::acquire:
        if (state_.units < s.value) return false;
        state_.units = static_cast<std::uint8_t>(state_.units - s.value);
        return true;
      case action::release: state_.units = static_cast<std::uint8_t>(state_.units + s.value); return true;
      case action::lock: return !std::exchange(state_.locked, std::uint8_t{1});
      case action::unlock: return std::exchange(state_.locked, std::uint8_t{0}) != 0;
      case action::cancel: state_.canceled = 1; return true;
    }
    return false;
  }

  whole state_;
};

}  // namespace spool_test
