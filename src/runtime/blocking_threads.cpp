#include "blocking_threads.hpp"

#include "base/log.hpp"
#include "blocked_signals.hpp"
#include "plain_threads.hpp"
#include "raised_signals.hpp"
#include "scheduler.hpp"
#include "thread_state.hpp"

#include <pthread.h>

#include <chrono>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace spool::detail {

blocking_threads::~blocking_threads() {
  std::unique_lock lock(mutex_);
  closing_ = true;
  for (helper& h : idle_) h.wake.notify_one();
  all_left_.wait(lock, [this] { return working_.empty() && idle_.empty(); });
  helpers last = std::move(finished_);
  lock.unlock();
  for (helper& h : last) h.thread.join();
}

namespace {

constexpr const char* raise_limit =
    "Raise the limit on threads (ulimit -u, the cgroup's pids.max) or on memory (ulimit -v), or lower "
    "runtime_options::blocking_threads";

}  // namespace

void blocking_threads::submit(blocking_call& call) {
  std::uint64_t saturations = 0;
  std::error_code refused;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(call);
    ++queued_;
    try {
      if (queued_ > arriving_ && !send_somebody()) saturations = note_saturation();
    } catch (const std::system_error& e) {
      refused = e.code();
    } catch (const std::bad_alloc&) {
      refused = std::make_error_code(std::errc::not_enough_memory);
    }
    if (refused) {
      if (working_.empty()) {  // nobody would ever serve it
        intrusive_list<blocking_call>::erase(call);
        --queued_;
        throw std::system_error(refused,
                                std::string("spool::blocking: no helper thread can be started. ") + raise_limit);
      }
      saturations = note_saturation();
    }
  }
  if (saturations == 0) return;
  if (refused) {
    log()->warn(
        "spool: no further thread can be started for a blocking call, which waits for one of those there are: {}. {}.",
        refused.message(), raise_limit);
    return;
  }
  log()->warn(
      "spool: all {} threads for blocking calls are busy, further calls wait. Raise "
      "runtime_options::blocking_threads if that is not meant. Times so far: {}.",
      bound_, saturations);
}

bool blocking_threads::withdraw(blocking_call& call) noexcept {
  const std::lock_guard lock(mutex_);
  if (!call.linked()) return false;
  intrusive_list<blocking_call>::erase(call);
  note_served();
  return true;
}

std::size_t blocking_threads::pending() const noexcept {
  const std::lock_guard lock(mutex_);
  return queued_ + running_;
}

blocking_thread_stats blocking_threads::stats() const noexcept {
  const std::lock_guard lock(mutex_);
  return {.threads = working_.size() + idle_.size(),
          .busy = running_,
          .queued = queued_,
          .bound = bound_,
          .saturated = saturated_,
          .saturations = saturations_};
}

void blocking_threads::dismiss_idle() noexcept {
  const std::lock_guard lock(mutex_);
  for (helper& h : idle_) {
    h.dismissed = true;
    h.wake.notify_one();
  }
}

bool blocking_threads::send_somebody() {
  if (!idle_.empty()) {
    const auto first = idle_.begin();
    working_.splice(working_.end(), idle_, first);
    first->called = true;
    first->wake.notify_one();
  } else if (working_.size() < bound_) {
    start_helper();
  } else {
    return false;
  }
  ++arriving_;
  return true;
}

void blocking_threads::start_helper() {
  const blocked_signals inherited;
  const auto self = working_.emplace(working_.end());
  try {
    self->thread = std::thread([this, self] { serve(self); });  // it begins by taking the lock that is held here
  } catch (...) {
    working_.erase(self);
    throw;
  }
}

std::uint64_t blocking_threads::note_saturation() {
  if (!std::exchange(saturated_, true)) ++saturations_;
  if (reported_ == saturations_) return 0;
  const auto now = std::chrono::steady_clock::now();
  if (reported_ != 0 && now - reported_at_ < timing_.report_every) return 0;
  reported_ = saturations_;
  reported_at_ = now;
  return saturations_;
}

/// A call has left the queue.
void blocking_threads::note_served() noexcept {
  --queued_;
  if (queued_ == 0) saturated_ = false;
}

void blocking_threads::serve(helpers::iterator self) noexcept {
  std::optional<own_thread> counted(std::in_place);
  ::pthread_setname_np(::pthread_self(), (name_.substr(0, 10) + "-blk").c_str());
  std::unique_lock lock(mutex_);
  --arriving_;
  for (;;) {
    blocking_call* call = queue_.pop_front();
    if (call == nullptr) {
      if (!sleep(self, lock)) break;
      continue;
    }
    note_served();
    ++running_;
    lock.unlock();
    waiter* caller = call->caller;  // none: invoke ends the wait by itself, and the call may be gone after it
    call->invoke(*call);
    take_raised_signals();
    if (caller != nullptr && caller->claim(waiter::done)) caller->wake();  // the call's frame may be gone from here on
    lock.lock();
    --running_;
  }
  counted.reset();  // before it is no helper any more: until the thread is gone nobody answers for its thread-locals
  leave(self, lock);
}

/// False: there was nothing to do for long, or never will be.
bool blocking_threads::sleep(helpers::iterator self, std::unique_lock<std::mutex>& lock) noexcept {
  if (closing_) return false;
  self->called = self->dismissed = false;
  idle_.splice(idle_.begin(), working_, self);
  const auto until = std::chrono::steady_clock::now() + timing_.idle_for;
  self->wake.wait_until(lock, until, [&] { return self->called || self->dismissed || closing_; });
  if (self->called) {
    --arriving_;
    return true;
  }
  working_.splice(working_.end(), idle_, self);
  return false;
}

void blocking_threads::leave(helpers::iterator self, std::unique_lock<std::mutex>& lock) noexcept {
  // Each joins the one that left before it: no more than one stack of a thread that has ended is kept.
  helpers before = std::move(finished_);
  finished_.clear();
  finished_.splice(finished_.end(), working_, self);
  if (working_.empty() && idle_.empty()) all_left_.notify_all();
  lock.unlock();
  for (helper& h : before) h.thread.join();
}

namespace {

/// A seeded run stands still until the calling fiber was woken, so that its schedule does not depend on how long calls
/// take; but not for ever, for the call may wait for another fiber of the run.
void stand_still(const fiber& caller) noexcept {
  using namespace std::chrono_literals;
  const auto until = std::chrono::steady_clock::now() + 1s;
  while (caller.state_.load(std::memory_order_acquire) != fiber::notified && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(10us);
  }
}

}  // namespace

void submit_blocking(scheduler& s, blocking_call& call) {
  s.helpers().submit(call);
  if (s.driver() != nullptr) stand_still(*current_worker()->current());
}

bool withdraw_blocking(scheduler& s, blocking_call& call) noexcept {
  return s.helpers().withdraw(call);
}

blocking_thread_stats blocking_stats_of(scheduler& s) noexcept {
  return s.helpers().stats();
}

}  // namespace spool::detail
