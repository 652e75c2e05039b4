#include "outbox.hpp"

#include <mutex>

namespace orders {

bool outbox::add(const answer& message) {
  const std::size_t before = gathering_.size();
  gathering_.resize(before + most_frame_bytes);
  gathering_.resize(before + encode(message, gathering_.data() + before));
  return before == 0;
}

bool outbox::commit() {
  bool first = false;
  bool fits = true;
  {
    const std::lock_guard lock(mutex_);
    if (!abandoned_) {
      fits = waiting_.size() + gathering_.size() <= most_bytes_;
      abandoned_ = !fits;
      first = fits && waiting_.empty();
      if (first) {
        waiting_.swap(gathering_);
      } else if (fits) {
        waiting_.insert(waiting_.end(), gathering_.begin(), gathering_.end());
      }
    }
  }
  gathering_.clear();
  if (first) changed_.notify_one();
  if (!fits) room_.notify_one();
  return fits;
}

void outbox::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_one();  // before the unlock: after it the outbox may be gone
  room_.notify_one();
}

bool outbox::take(std::vector<std::byte>& into) {
  into.clear();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !waiting_.empty() || finished_; });
  into.swap(waiting_);
  room_.notify_one();
  return !into.empty();
}

void outbox::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  waiting_.clear();
  room_.notify_one();
}

bool outbox::wait_for_room(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return room_.wait_for(lock, patience,
                        [this] { return abandoned_ || finished_ || waiting_.size() < most_bytes_ / 2; });
}

}  // namespace orders
