// The queue that a C++ service writes when it has threads only: a deque, a mutex and two condition variables.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace bench {

template <class T, class Mutex = std::mutex, class Condition = std::condition_variable>
class bounded_queue {
 public:
  explicit bounded_queue(std::size_t capacity) : capacity_(capacity) {}

  void push(T value) {
    std::unique_lock<Mutex> lock(mu_);
    not_full_.wait(lock, [this] { return items_.size() < capacity_; });
    items_.push_back(std::move(value));
    lock.unlock();
    not_empty_.notify_one();
  }

  bool try_push(T value) {
    std::unique_lock<Mutex> lock(mu_);
    if (items_.size() >= capacity_) return false;
    items_.push_back(std::move(value));
    lock.unlock();
    not_empty_.notify_one();
    return true;
  }

  std::optional<T> pop() {  // nullopt: closed and drained
    std::unique_lock<Mutex> lock(mu_);
    not_empty_.wait(lock, [this] { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    lock.unlock();
    not_full_.notify_one();
    return value;
  }

  void close() {
    {
      const std::lock_guard<Mutex> lock(mu_);
      closed_ = true;
    }
    not_empty_.notify_all();
  }

 private:
  const std::size_t capacity_;
  Mutex mu_;  // guards items_, closed_
  Condition not_full_;
  Condition not_empty_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace bench
