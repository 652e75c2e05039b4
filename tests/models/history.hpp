// What the fibers of a random program did, as the oracle judges it.
#pragma once

#include <spool/spool.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace spool_test {

enum class action : std::uint8_t { send, recv, close, acquire, release, lock, unlock, cancel };
enum class answer : std::uint8_t { ok, closed, would_block, timeout, canceled };

/// One operation, or one case of a select.
struct step {
  action what{};
  std::uint8_t object = 0;   // index of the channel
  std::uint8_t value = 0;    // sent or received; units of a semaphore
};

struct operation : step {
  unsigned fiber = 0;
  answer result = answer::ok;
  bool bounded_by_context = false;   // gives up when the program's context is cancelled
  std::vector<step> cases;           // of a select; `what`, `object` and `value` are those of the case that was chosen
  bool watches_context = false;      // a case of the select
  std::uint32_t invoked = 0;         // places in the order of all events
  std::uint32_t returned = 0;
  spool::detail::time_point returned_at{};

  bool is_select() const noexcept { return !cases.empty() || watches_context; }
};

struct history {
  std::vector<operation> operations;
  std::vector<std::uint8_t> capacities;  // of the channels
  std::uint8_t units = 0;                // of the semaphore, at first
};

inline std::string to_string(const step& s) {
  static constexpr const char* names[] = {"send", "recv", "close", "acquire", "release", "lock", "unlock", "cancel"};
  return std::string(names[static_cast<std::size_t>(s.what)]) + " #" + std::to_string(s.object) + " " + std::to_string(s.value);
}

inline std::string to_string(const operation& op) {
  static constexpr const char* answers[] = {"ok", "closed", "would block", "timeout", "canceled"};
  std::string text = "fiber " + std::to_string(op.fiber) + " [" + std::to_string(op.invoked) + ", " +
                     std::to_string(op.returned) + "] ";
  if (op.is_select()) {
    text += "select {";
    for (const step& s : op.cases) text += to_string(s) + "; ";
    text += op.watches_context ? "done}: " : "}: ";
  }
  return text + to_string(static_cast<const step&>(op)) + " -> " + answers[static_cast<std::size_t>(op.result)];
}

inline std::string to_string(const history& h) {
  std::string text;
  for (const operation& op : h.operations) text += to_string(op) + "\n";
  return text;
}

}  // namespace spool_test
