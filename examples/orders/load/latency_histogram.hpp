#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace orders {

// Counts times in nanoseconds in buckets whose width is at most 1/32 of their value, whatever the value: a fixed 15
// KiB for any number of samples. Histograms of several connections add up.
class latency_histogram {
 public:
  void add(std::uint64_t nanoseconds) noexcept {
    ++buckets_[bucket_of(nanoseconds)];
    ++count_;
    if (nanoseconds > most_) most_ = nanoseconds;
  }
  void add(const latency_histogram& other) noexcept;

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t most() const noexcept { return most_; }
  // The upper end of the bucket in which that part of the samples (0.5: the median) is complete; 0 without samples.
  std::uint64_t percentile(double part) const noexcept;

 private:
  static constexpr unsigned precision_bits = 5;
  static constexpr std::size_t steps = std::size_t{1} << precision_bits;

  // Below 2 * steps exact; above, by the highest bit and the precision_bits that follow it.
  static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < 2 * steps) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - precision_bits;
    return steps * shift + (value >> shift);
  }
  static constexpr std::uint64_t upper_end(std::size_t bucket) noexcept {
    if (bucket < 2 * steps) return bucket;
    const std::size_t shift = bucket / steps - 1;
    return (((bucket - steps * shift) + 1) << shift) - 1;
  }

  std::array<std::uint64_t, steps*(64 - precision_bits + 1)> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t most_ = 0;
};

}  // namespace orders
