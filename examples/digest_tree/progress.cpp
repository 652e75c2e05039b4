#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace digest_tree {

void progress_line::draw(const tally& counts) {
  if (!shown_) {
    return;
  }
  const double mebibytes = static_cast<double>(counts.bytes.load(std::memory_order_relaxed)) / (1024.0 * 1024.0);
  const double seconds = std::chrono::duration<double>(clock::now() - start_).count();
  // 79 columns at most, or the terminal wraps and \r no longer returns to the line's start.
  std::array<char, 80> line;
  const int length = std::snprintf(line.data(), line.size(), "\r\033[K%llu files, %.1f MiB, %.0f MiB/s, %llu queued",
                                   static_cast<unsigned long long>(counts.files.load(std::memory_order_relaxed)),
                                   mebibytes, mebibytes / std::max(seconds, 1e-3),
                                   static_cast<unsigned long long>(counts.waiting.load(std::memory_order_relaxed)));
  put({line.data(), std::min(static_cast<std::size_t>(length), line.size() - 1)});
  drawn_ = true;
}

void progress_line::clear() {
  if (drawn_) {
    put("\r\033[K");
    drawn_ = false;
  }
}

void progress_line::put(std::string_view text) const {
  // A terminal that is gone is no reason to fail: progress is a courtesy.
  [[maybe_unused]] const auto ignored = ::write(fd_, text.data(), text.size());
}

}  // namespace digest_tree
