#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace digest_tree {

// What the workers have done so far; read by the progress line only, so relaxed order will do.
struct tally {
  std::atomic<std::uint64_t> files{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> waiting{0};
};

// Files, bytes, rate, queue depth: one line without its end.
std::string describe(const tally& counts, std::chrono::steady_clock::duration elapsed);

}  // namespace digest_tree
