// A round of the stress: some activities, on fibers and on plain threads, that do some operations each and end by
// themselves. Nothing else runs meanwhile and nobody is called from outside, so that a lost wake-up stays lost.
#pragma once

#include "watchdog.hpp"

#include <spool/spool.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace stress {

using dice = std::minstd_rand;

inline unsigned below(dice& d, unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(d); }

/// One fiber per worker that stays there. Who asks one of them for an answer goes on where that fiber is.
class porters {
 public:
  porters(activity& self, spool::runtime& rt);
  void end(activity& self);
  void move_me(activity& self, unsigned to);
  std::uint64_t moves() const noexcept { return moves_.load(std::memory_order_relaxed); }

 private:
  struct porter {
    spool::channel<spool::latch*> asked{1};
    std::atomic<bool> gone{false};
  };
  std::vector<std::unique_ptr<porter>> porters_;
  std::atomic<std::uint64_t> moves_{0};
};

class round {
 public:
  round(spool::runtime& rt, porters& movers, std::uint64_t seed, bool with_little)
      : sparse(with_little), rt_(rt), movers_(movers), dice_(static_cast<dice::result_type>(seed)) {}
  ~round();
  round(const round&) = delete;
  round& operator=(const round&) = delete;

  /// What a scenario does once all activities have ended: throws if the sums are wrong.
  void at_end(std::function<void()> check) { checks_.push_back(std::move(check)); }
  void fiber(std::string name, std::function<void(activity&, dice&)> body);
  void thread(std::string name, std::function<void(activity&, dice&)> body);
  /// On a fiber or on a plain thread.
  void either(std::string name, std::function<void(activity&, dice&)> body) {
    below(dice_, 3) == 0 ? thread(std::move(name), std::move(body)) : fiber(std::move(name), std::move(body));
  }
  unsigned draw(unsigned n) { return below(dice_, n); }
  /// By an activity, between two operations: it computes, yields, moves to another worker, or, being a thread, sleeps.
  void think(activity& self, dice& d);
  void let_go() { may_begin_.store(true); }
  /// Until all have ended. Calls nobody.
  void wait() const;
  void check();
  spool::runtime& rt() noexcept { return rt_; }
  /// Operations of each activity.
  unsigned length() { return sparse ? 20 + draw(30) : 40 + draw(100); }

  const bool sparse;

 private:
  spool::runtime& rt_;
  porters& movers_;
  dice dice_;
  std::atomic<bool> may_begin_{false};
  std::atomic<int> left_{0};
  std::vector<std::thread> threads_;
  std::vector<std::function<void()>> checks_;
};

/// Each adds its activities to a round.
void channels(round& r);
void locks(round& r);
void turns(round& r);
void permits(round& r);
void jobs(round& r);
void cancellations(round& r);
void meetings(round& r);
void groups(round& r);
void timers(round& r);
void blocking_calls(round& r);

inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

}  // namespace stress
