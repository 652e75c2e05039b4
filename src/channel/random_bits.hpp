// The order in which a select looks at its cases: a permutation, uniformly at random, drawn as far as it is used.
#pragma once

#include "scratch.hpp"

#include <cstddef>
#include <cstdint>

namespace spool::detail {

/// A number that differs from call to call; cheap, not shared between threads that run at once, as a rule.
std::uint64_t random_bits() noexcept;

class random_order {
 public:
  explicit random_order(std::size_t n) : places_(n), bits_(random_bits()) {
    for (std::uint32_t i = 0; i < n; ++i) places_.emplace_back(i);
  }

  /// The i-th place; for i = 0, 1, 2 … each exactly once.
  std::size_t draw(std::size_t i) noexcept {
    const std::size_t left = places_.size() - i;
    if (left > 1) {
      // xorshift64; the upper half scaled to [0, left), which favours no place by more than 2^-32.
      bits_ ^= bits_ << 13;
      bits_ ^= bits_ >> 7;
      bits_ ^= bits_ << 17;
      std::swap(places_[i], places_[i + ((bits_ >> 32) * left >> 32)]);
    }
    return places_[i];
  }

  /// After all have been drawn.
  std::size_t drawn(std::size_t i) noexcept { return places_[i]; }

 private:
  scratch<std::uint32_t, 16> places_;
  std::uint64_t bits_;
};

}  // namespace spool::detail
