#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace digest_tree {

// What the workers have done so far; read by the progress line only, so relaxed order will do.
struct tally {
  std::atomic<std::uint64_t> files{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> waiting{0};
};

// One line on the terminal that is written over and over: files, bytes, rate, queue depth.
class progress_line {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds interval{250};

  progress_line(int fd, bool shown) : fd_(fd), shown_(shown) {}
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  bool shown() const noexcept { return shown_; }
  void draw(const tally& counts);
  void clear();  // before anything else is written to the same terminal

 private:
  void put(std::string_view text) const;

  int fd_;
  bool shown_;
  bool drawn_ = false;
  clock::time_point start_ = clock::now();
};

}  // namespace digest_tree
