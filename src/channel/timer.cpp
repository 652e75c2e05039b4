// A channel_timer fires in the timer queue's hands: it re-arms and sends, and waits for nothing but memory. Lock order: mu_,
// then the channel's lock or the timer queue's; receivers are woken after both.
//
// The node may have left the queue, and its firing be on the way to mu_, when stop or reset come first. cancel_timer tells
// (false), and the firing is counted in stale_: that many firings do nothing. Which one of two on the way they are does
// not matter: a firing that does something comes at or after the time that is set.
#include <spool/channel/timer.hpp>
#include <spool/runtime/detail/timer_node.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

namespace spool::detail {

class channel_timer : timer_node {
 public:
  channel_timer() : timer_node(&fire_node, mode::unlocked), channel_(1) {}

  receiver<time_point> c() const { return channel_; }

  void set(time_point due, clock::duration period) {
    const std::lock_guard guard(mu_);
    disarm();
    period_ = period;
    arm_at(due, [&] { arm_timer(*this, due); });
  }

  bool stop() noexcept {
    const std::lock_guard guard(mu_);
    return disarm();
  }

  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  using core = channel_core<time_point>;
  core& values() const { return *static_cast<core*>(handle_access::base(channel_, "timer")); }

  /// Not armed before. What `arm` throws (memory, no thread for the timers) leaves it so.
  template <class Arm>
  void arm_at(time_point due, Arm arm) {
    due_ = due;
    if (due != time_point::max()) {
      arm();
      references_.fetch_add(1, std::memory_order_relaxed);  // the queue's; the firing needs mu_ to give it back
      queued_ = true;
    }
    armed_ = true;
  }

  /// Takes back what was set, a value that nobody has received included. True: there was something to take back.
  bool disarm() noexcept {
    if (queued_) {
      queued_ = false;
      if (cancel_timer(*this)) {
        references_.fetch_sub(1, std::memory_order_relaxed);  // never the last: the caller has one
      } else {
        ++stale_;
      }
    }
    std::optional<time_point> unreceived;
    channel_node* woken = nullptr;  // stays null: nobody waits to send
    {
      const std::lock_guard guard(values().lock());
      (void)values().recv_locked(unreceived, woken);
    }
    return std::exchange(armed_, false) || unreceived.has_value();
  }

  static void fire_node(timer_node& node, timer_queue* from) noexcept { static_cast<channel_timer&>(node).fire(from); }

  /// Of two firings on the way `from` need not be the queue in which the node was last. Null: nothing comes of it.
  void fire(timer_queue* from) noexcept {
    channel_node* woken = nullptr;
    {
      const std::lock_guard guard(mu_);
      if (stale_ > 0) {
        --stale_;
      } else {
        queued_ = false;
        armed_ = false;
        if (from != nullptr) send_time(*from, woken);
      }
    }
    wake_chain(woken, current_fiber());
    release();
  }

  void send_time(timer_queue& from, channel_node*& woken) noexcept {
    time_point now = clock::now();
    if (period_ > clock::duration::zero()) {
      const time_point next = next_tick(now);
      arm_at(next, [&] { arm_timer_again(*this, from, next); });
    }
    const std::lock_guard channel_guard(values().lock());
    (void)values().send_locked(now, woken);  // the last tick still unreceived: this one is dropped
  }

  /// The first multiple of the period that is not over; ticks that were slept through are dropped, the rhythm stays.
  time_point next_tick(time_point now) const noexcept {
    if (period_ >= time_point::max() - now) return time_point::max();
    return due_ + period_ * (1 + (now - due_) / period_);
  }

  const channel<time_point> channel_;
  std::atomic<std::uint32_t> references_{1};
  spin_lock mu_;
  // Guarded by mu_:
  time_point due_;
  clock::duration period_{};  // zero: fires once
  bool armed_ = false;        // it will send, unless stopped
  bool queued_ = false;       // its node is in the timer queue, or its firing on the way
  std::uint32_t stale_ = 0;   // firings on the way that are to do nothing
};

void drop_channel_timer::operator()(channel_timer* t) const noexcept { t->release(); }

channel_timer_owner::channel_timer_owner(time_point when, clock::duration period) : timer_(new channel_timer) {
  timer_->set(when, period);
}

receiver<time_point> channel_timer_owner::c() const { return timer_->c(); }

bool channel_timer_owner::stop() noexcept { return timer_->stop(); }

void channel_timer_owner::reset(time_point when, clock::duration period) { timer_->set(when, period); }

receiver<time_point> after_until(time_point when) { return channel_timer_owner(when, {}).c(); }

void throw_bad_period() { throw std::invalid_argument("spool::ticker: the period must be positive"); }

}  // namespace spool::detail
