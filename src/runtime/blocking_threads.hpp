// Helper threads for calls that block: started when needed, up to a bound; idle ones end after a while.
#pragma once

#include <spool/runtime/blocking.hpp>

#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace spool::detail {

class blocking_threads {
 public:
  blocking_threads(std::size_t bound, std::string name) : bound_(bound), name_(std::move(name)) {}
  ~blocking_threads();  // no call is queued or running by then

  void submit(blocking_call& call);
  bool withdraw(blocking_call& call) noexcept;
  /// Calls queued or running.
  std::size_t pending() const noexcept;
  std::size_t threads() const noexcept;

 private:
  using handle = std::list<std::thread>::iterator;
  void serve(handle self) noexcept;
  void start_thread();

  const std::size_t bound_;
  const std::string name_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  intrusive_list<blocking_call> queue_;
  std::size_t queued_ = 0;
  std::size_t running_ = 0;
  std::size_t idle_ = 0;
  std::list<std::thread> threads_;
  std::list<std::thread> finished_;  // left their loop; joined by the next call that passes by
  bool closing_ = false;
  bool saturation_reported_ = false;
};

}  // namespace spool::detail
