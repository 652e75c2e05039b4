#include "load/latency_histogram.hpp"

#include <algorithm>
#include <cmath>

namespace orders {

void latency_histogram::add(const latency_histogram& other) noexcept {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  most_ = std::max(most_, other.most_);
}

std::uint64_t latency_histogram::percentile(double part) const noexcept {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) return std::min(upper_end(i), most_);
  }
  return most_;
}

}  // namespace orders
