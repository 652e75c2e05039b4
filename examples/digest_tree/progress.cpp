#include "progress.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace digest_tree {

std::string describe(const tally& counts, std::chrono::steady_clock::duration elapsed) {
  const double mebibytes = static_cast<double>(counts.bytes.load(std::memory_order_relaxed)) / (1024.0 * 1024.0);
  const double seconds = std::chrono::duration<double>(elapsed).count();
  std::array<char, 160> line;
  const int length = std::snprintf(line.data(), line.size(), "%llu files, %.1f MiB, %.0f MiB/s, %llu queued",
                                   static_cast<unsigned long long>(counts.files.load(std::memory_order_relaxed)),
                                   mebibytes, mebibytes / std::max(seconds, 1e-3),
                                   static_cast<unsigned long long>(counts.waiting.load(std::memory_order_relaxed)));
  return {line.data(), std::min(static_cast<std::size_t>(length), line.size() - 1)};
}

}  // namespace digest_tree
