// Helper threads for calls that block: started when needed, up to a bound; idle ones end after a while.
//
// A helper is working, or idle and asleep. One that was started or called out of its sleep and has not looked into the
// queue yet is arriving. While mutex_ is free:
//   I1 a queued call has a helper that is arriving, or no helper is idle and none can be started
//   I2 saturated_ implies a queued call; it is set when a call finds nobody that could be sent for it
// The helper that fell asleep last is called first. So a pool that is larger than its load leaves the same ones asleep
// until they end; first come, first served would keep a crowd alive for a trickle of calls.
#pragma once

#include <spool/runtime/blocking.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace spool::detail {

struct blocking_timing {
  std::chrono::milliseconds idle_for{5'000};       // after which a helper without a call ends
  std::chrono::milliseconds report_every{10'000};  // at most one warning of saturation in this time
};

class blocking_threads {
 public:
  blocking_threads(std::size_t bound, std::string name, blocking_timing timing = {})
      : bound_(bound), name_(std::move(name)), timing_(timing) {}
  ~blocking_threads();  // no call is queued or running by then

  void submit(blocking_call& call);
  bool withdraw(blocking_call& call) noexcept;
  /// Helpers without a call end now.
  void dismiss_idle() noexcept;
  /// Calls queued or running.
  std::size_t pending() const noexcept;
  blocking_thread_stats stats() const noexcept;

 private:
  struct helper {
    std::thread thread;
    std::condition_variable wake;
    bool called = false;  // is not in idle_ any more, and shall look into the queue
    bool dismissed = false;
  };
  using helpers = std::list<helper>;

  void serve(helpers::iterator self) noexcept;
  bool sleep(helpers::iterator self, std::unique_lock<std::mutex>& lock) noexcept;
  void leave(helpers::iterator self, std::unique_lock<std::mutex>& lock) noexcept;
  bool send_somebody();  // false: nobody is left that could come
  void start_helper();
  std::uint64_t note_saturation();  // what to report; 0: nothing now
  void note_served() noexcept;

  const std::size_t bound_;
  const std::string name_;
  const blocking_timing timing_;
  mutable std::mutex mutex_;  // guards all that follows
  intrusive_list<blocking_call> queue_;
  std::size_t queued_ = 0;
  std::size_t running_ = 0;
  std::size_t arriving_ = 0;
  helpers working_;   // or arriving
  helpers idle_;      // who fell asleep last comes first
  helpers finished_;  // have left their loop; at most one, joined by the next that does
  std::condition_variable all_left_;
  bool closing_ = false;
  bool saturated_ = false;
  std::uint64_t saturations_ = 0;
  std::uint64_t reported_ = 0;  // of saturations_
  std::chrono::steady_clock::time_point reported_at_{};
};

}  // namespace spool::detail
