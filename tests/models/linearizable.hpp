// Is there an order of a history's operations, each somewhere between its call and its return, that the oracle allows?
// Wing and Gong's search: take one that may be first, let the oracle judge it, go on; what has been taken and the oracle's
// state together are not tried twice.
//
// An operation that timed out is held to more: in a bubble time moves only when every fiber waits, so it must have been
// unable to go on after everything that had returned at an earlier time.
#pragma once

#include "models/oracle.hpp"

#include <cstdint>
#include <unordered_set>
#include <vector>

namespace spool_test {

class linearization {
 public:
  /// At most 64 operations.
  explicit linearization(const history& h) : operations_(h.operations), start_(h), contended_(h.operations.size()) {
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      operation& op = operations_[i];
      for (std::size_t k = 0; k < operations_.size(); ++k) {
        const operation& other = h.operations[k];
        const bool overlaps = other.invoked < op.returned && h.operations[i].invoked < other.returned;
        if (k != i && other.what == action::acquire && overlaps) contended_[i] = true;
        if (op.result == answer::timeout && other.returned_at < op.returned_at) {
          op.invoked = std::max(op.invoked, other.returned);
        }
      }
    }
  }

  bool exists() { return go_on(start_, 0); }

 private:
  bool go_on(const oracle& state, std::uint64_t taken) {
    if (taken == all()) return true;
    if (!tried_.insert(state.hash() ^ (taken * 0x9e3779b97f4a7c15u)).second) return false;
    std::uint32_t first_return = ~std::uint32_t{0};
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      if ((taken >> i & 1) == 0) first_return = std::min(first_return, operations_[i].returned);
    }
    const auto may_be_next = [&](std::size_t i) { return (taken >> i & 1) == 0 && operations_[i].invoked < first_return; };
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      if (!may_be_next(i)) continue;
      oracle after = state;
      if (after.take(operations_[i], contended_[i]) && go_on(after, taken | bit(i))) return true;
      for (std::size_t k = 0; k < operations_.size(); ++k) {
        after = state;
        if (!may_be_next(k) || !after.take_both(operations_[i], operations_[k])) continue;
        if (go_on(after, taken | bit(i) | bit(k))) return true;
      }
    }
    return false;
  }

  static std::uint64_t bit(std::size_t i) noexcept { return std::uint64_t{1} << i; }
  std::uint64_t all() const noexcept { return operations_.size() == 64 ? ~std::uint64_t{0} : bit(operations_.size()) - 1; }

  std::vector<operation> operations_;
  oracle start_;
  std::vector<bool> contended_;
  std::unordered_set<std::uint64_t> tried_;
};

inline bool is_linearizable(const history& h) { return linearization(h).exists(); }

}  // namespace spool_test
