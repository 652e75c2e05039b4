// A clock that moves only when a test says so; copies show the same time. Thread safe.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

namespace spool_test {

class manual_clock {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  time_point operator()() const { return time_point(std::chrono::nanoseconds(ticks_->load())); }
  void advance(std::chrono::nanoseconds d) const { ticks_->fetch_add(d.count()); }

 private:
  std::shared_ptr<std::atomic<std::chrono::nanoseconds::rep>> ticks_ =
      std::make_shared<std::atomic<std::chrono::nanoseconds::rep>>(1'000'000'000'000);
};

}  // namespace spool_test
