#include "blocking_threads.hpp"

#include "blocked_signals.hpp"
#include "plain_threads.hpp"
#include "scheduler.hpp"

#include <spdlog/spdlog.h>

#include <pthread.h>

#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

namespace spool::detail {
namespace {

constexpr std::chrono::seconds idle_for{5};

}  // namespace

blocking_threads::~blocking_threads() {
  std::list<std::thread> left;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    arrived_.notify_all();
    left.swap(finished_);
  }
  for (std::thread& thread : left) thread.join();
  std::unique_lock lock(mutex_);
  while (!threads_.empty()) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
  for (std::thread& thread : finished_) thread.join();
}

void blocking_threads::submit(blocking_call& call) {
  bool saturated = false;
  std::list<std::thread> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(finished_);
    queue_.push_back(call);
    ++queued_;
    if (queued_ > idle_ && threads_.size() < bound_) {
      try {
        start_thread();
      } catch (...) {
        if (threads_.empty()) {  // nobody would ever serve it
          intrusive_list<blocking_call>::erase(call);
          --queued_;
          throw;
        }
      }
    } else if (queued_ > idle_) {
      saturated = !std::exchange(saturation_reported_, true);
    }
    arrived_.notify_one();
  }
  for (std::thread& thread : ended) thread.join();
  if (saturated) {
    spdlog::warn("spool: all {} threads for blocking calls are busy, further calls wait. Raise "
                 "runtime_options::blocking_threads if that is not meant.", bound_);
  }
}

bool blocking_threads::withdraw(blocking_call& call) noexcept {
  const std::lock_guard lock(mutex_);
  if (!call.linked()) return false;
  intrusive_list<blocking_call>::erase(call);
  --queued_;
  return true;
}

std::size_t blocking_threads::pending() const noexcept {
  const std::lock_guard lock(mutex_);
  return queued_ + running_;
}

std::size_t blocking_threads::threads() const noexcept {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

void blocking_threads::start_thread() {
  const blocked_signals inherited;
  const handle self = threads_.emplace(threads_.end());
  try {
    *self = std::thread([this, self] { serve(self); });  // it begins by taking the lock that is held here
  } catch (...) {
    threads_.erase(self);
    throw;
  }
}

void blocking_threads::serve(handle self) noexcept {
  const own_thread counted;
  ::pthread_setname_np(::pthread_self(), (name_.substr(0, 10) + "-blk").c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    const bool work = arrived_.wait_for(lock, idle_for, [this] { return !queue_.empty() || closing_; });
    --idle_;
    blocking_call* call = queue_.pop_front();
    if (call == nullptr) {
      if (work || idle_ > 0 || queue_.empty()) break;
      continue;
    }
    --queued_;
    ++running_;
    lock.unlock();
    waiter* caller = call->caller;  // none: invoke ends the wait by itself, and the call may be gone after it
    call->invoke(*call);
    if (caller != nullptr && caller->claim(waiter::done)) caller->wake();  // the call's frame may be gone from here on
    lock.lock();
    --running_;
  }
  finished_.splice(finished_.end(), threads_, self);
}

void submit_blocking(scheduler& s, blocking_call& call) {
  s.helpers().submit(call);
}

bool withdraw_blocking(scheduler& s, blocking_call& call) noexcept {
  return s.helpers().withdraw(call);
}

}  // namespace spool::detail
