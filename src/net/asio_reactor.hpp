// The io_context of a runtime as its workers see it.
//
// A worker waits in run_one(), which knows no deadline finer than a millisecond; a timerfd of ours, one more descriptor
// in the io_context, ends the wait on time. The wait for that descriptor is always under way, so the io_context never
// runs out of work, and it is the only work when the reactor is quiet.
#pragma once

#include <spool/net/io_context.hpp>
#include <spool/runtime/detail/reactor.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace spool::detail {

class asio_reactor final : public reactor {
 public:
  asio_reactor();

  bool poll() noexcept override;
  void wait_until(time_point deadline) noexcept override;
  void interrupt() noexcept override;
  bool quiet() const noexcept override;

  boost::asio::io_context& io() noexcept { return io_; }

 private:
  void set_alarm(time_point when) noexcept;
  bool serve_ready() noexcept;
  void listen_to_alarm();

  /// Memory for the one interruption that may be under way: interrupt() does not allocate.
  template <class T>
  struct in_place {
    using value_type = T;
    explicit in_place(std::byte* storage) noexcept : bytes(storage) {}
    template <class U>
    in_place(const in_place<U>& other) noexcept : bytes(other.bytes) {}
    T* allocate(std::size_t n) noexcept {
      static_assert(sizeof(T) <= interruption_bytes && alignof(T) <= alignof(std::max_align_t));
      return n == 1 ? reinterpret_cast<T*>(bytes) : nullptr;
    }
    void deallocate(T*, std::size_t) noexcept {}
    friend bool operator==(const in_place&, const in_place&) noexcept = default;
    std::byte* bytes;
  };
  static constexpr std::size_t interruption_bytes = 192;

  boost::asio::io_context io_;
  boost::asio::posix::stream_descriptor alarm_;  // a timerfd
  // Touched by who is inside the reactor only.
  time_point alarm_at_ = time_point::max();
  bool called_ = false;                          // an alarm or an interruption came
  std::uint64_t expirations_ = 0;                // read from the timerfd, of no interest
  std::atomic<bool> interrupted_{false};         // an interruption is queued, its memory in use
  alignas(std::max_align_t) std::byte interruption_[interruption_bytes];
};

}  // namespace spool::detail
