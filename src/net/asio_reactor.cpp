#include "asio_reactor.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <sys/timerfd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace spool::detail {
namespace {

// Asio counts the operations under way but tells nobody. An explicit instantiation may name a private member.
auto& outstanding_work(boost::asio::detail::scheduler& s);
template <auto Member>
struct open_member {
  friend auto& outstanding_work(boost::asio::detail::scheduler& s) { return s.*Member; }
};
template struct open_member<&boost::asio::detail::scheduler::outstanding_work_>;

int make_timer_descriptor() {
  const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "spool::io_context: timerfd_create");
  return fd;
}

}  // namespace

asio_reactor::asio_reactor() : alarm_(io_, make_timer_descriptor()) {
  listen_to_alarm();
}

void asio_reactor::listen_to_alarm() {
  // A read, not a wait for readiness: that would make a system call more to be told again.
  const auto into = boost::asio::buffer(&expirations_, sizeof expirations_);
  alarm_.async_read_some(into, [this](const boost::system::error_code& ec, std::size_t) {
    if (ec) return;
    alarm_at_ = time_point::max();
    called_ = true;
    listen_to_alarm();
  });
}

void asio_reactor::set_alarm(time_point when) noexcept {
  if (when == alarm_at_) return;
  alarm_at_ = when;
  itimerspec at{};  // zero: no alarm
  if (when != time_point::max()) {
    const auto since_boot = std::max(when.time_since_epoch(), clock::duration(1));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
    at.it_value.tv_sec = seconds.count();
    at.it_value.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since_boot - seconds).count());
  }
  ::timerfd_settime(alarm_.native_handle(), TFD_TIMER_ABSTIME, &at, nullptr);
}

/// What is ready, but no more than a few: handlers whose operations complete at once could go on for ever.
bool asio_reactor::serve_ready() noexcept {
  constexpr unsigned most_at_a_time = 64;
  unsigned served = 0;
  while (served < most_at_a_time && !called_ && io_.poll_one() != 0) ++served;
  return served != 0;
}

bool asio_reactor::poll() noexcept {
  if (io_.stopped()) io_.restart();  // somebody called stop(), which would end all I/O of the runtime
  called_ = false;
  return serve_ready();
}

void asio_reactor::wait_until(time_point deadline) noexcept {
  set_alarm(deadline);
  if (io_.stopped()) io_.restart();
  called_ = false;
  io_.run_one();
  serve_ready();
}

void asio_reactor::interrupt() noexcept {
  if (interrupted_.exchange(true, std::memory_order_seq_cst)) return;
  // Asio frees an operation's memory before it calls the handler: from there on it may be used again.
  boost::asio::post(io_, boost::asio::bind_allocator(in_place<std::byte>(interruption_), [this] {
    called_ = true;
    interrupted_.store(false, std::memory_order_seq_cst);
  }));
}

bool asio_reactor::quiet() const noexcept {
  auto& s = boost::asio::use_service<boost::asio::detail::scheduler>(const_cast<boost::asio::io_context&>(io_));
  return static_cast<long>(outstanding_work(s)) == 1;
}

}  // namespace spool::detail
