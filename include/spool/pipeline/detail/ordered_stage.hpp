// A stage of several workers whose results leave in the order of its items.
//
// Workers take turns to receive, so that numbers follow the input. Results meet in a ring; whoever finds the next one
// in it sends it and all that follow, while the others work on. With the output's buffer, at most bound_ items are
// under way: a worker takes no item beyond that. Who waits for room is woken by each result that leaves the ring: the
// oldest item is always with a worker or being sent, and once the ring is empty there is room, as the buffer alone is
// smaller than bound_. Room that comes from the buffer, while the oldest item is with a worker, is announced by nobody:
// who waits has to look.
#pragma once

#include <spool/pipeline/detail/stage.hpp>
#include <spool/sync/condition_variable.hpp>
#include <spool/sync/mutex.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace spool::detail {

template <class T, class U, class F>
class ordered_stage final : public item_stage<T, F> {
 public:
  template <class G>
  ordered_stage(pipeline_core& core, std::string name, receiver<T> from, sender<U> to, std::size_t workers,
                error_policy<T> policy, G&& f)
      : item_stage<T, F>(core, std::move(name), std::move(from), std::move(policy), std::forward<G>(f)),
        output_(std::move(to)),
        bound_(workers + output_.capacity()),
        ring_(bound_) {}

  void work() {
    while (next()) {
    }
  }

 private:
  struct slot {
    bool done = false;
    std::optional<U> value;  // none: the item was dropped
  };

  /// One item, from its receipt to its result. Whether to go on.
  bool next() {
    std::unique_lock turn(turn_);
    if (!wait_for_room()) return false;
    std::optional<T> item;
    if (!this->input_.recv(item) || this->over()) return false;
    // From here to put() nothing throws: the others would wait for this number.
    const std::uint64_t number = taken_++;
    turn.unlock();
    std::optional<U> value;
    const auto emit = [&](U&& made) {
      value.emplace(std::move(made));
      return true;
    };
    const bool goes_on =
        this->process(*item, [&](auto call, auto& failed) { return unwrap(call(), emit, failed); });
    item.reset();
    return put(number, value) && goes_on;
  }

  /// With the turn. False: nobody receives any more.
  bool wait_for_room() {
    std::unique_lock lock(mu_);
    std::chrono::milliseconds look_again{1};
    while (taken_ - left_ + output_.size() >= bound_) {
      if (sending_ || output_.size() == 0) {
        room_.wait(lock);
      } else if (room_.wait_for(lock, look_again) == std::cv_status::timeout) {
        look_again = std::min(2 * look_again, std::chrono::milliseconds{100});
      }
    }
    return !gone_;
  }

  /// False: nobody receives any more.
  bool put(std::uint64_t number, std::optional<U>& value) {
    std::unique_lock lock(mu_);
    slot& mine = ring_[number % bound_];
    guarded([&] { move_to(mine.value, value); });
    mine.done = true;
    if (sending_) return !gone_;
    sending_ = true;
    while (ring_[left_ % bound_].done) {
      slot& oldest = ring_[left_ % bound_];
      std::optional<U> leaving;
      guarded([&] { move_to(leaving, oldest.value); });
      oldest.value.reset();
      oldest.done = false;
      lock.unlock();
      bool open = true;
      if (leaving) guarded([&] { open = output_.send(*leaving); });
      leaving.reset();
      lock.lock();
      ++left_;
      if (!open) gone_ = true;
      room_.notify_one();  // there is one at most: it has the turn
    }
    sending_ = false;
    const bool gone = gone_;
    lock.unlock();
    if (gone) this->input_.end();
    return !gone;
  }

  static void move_to(std::optional<U>& to, std::optional<U>& from) {
    if (from) to.emplace(std::move(*from));
  }
  // What moving a result throws is an error, and the result is lost; the numbers go on, or the others would wait for
  // it.
  template <class Move>
  void guarded(Move move) {
    try {
      move();
    } catch (...) {
      this->core_.fail(error(std::current_exception()));
    }
  }

  const stage_output<U> output_;
  const std::size_t bound_;

  mutex turn_;               // held while receiving
  std::uint64_t taken_ = 0;  // items received; guarded by turn_

  mutex mu_;  // guards what follows; after turn_
  condition_variable room_;
  std::vector<slot> ring_;
  std::uint64_t left_ = 0;  // results sent or dropped
  bool sending_ = false;    // a worker is at it
  bool gone_ = false;       // the output has no receiver
};

}  // namespace spool::detail
