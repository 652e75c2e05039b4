// rate_limiter against a bucket that is filled again from the beginning for every question, on random sequences.
#include <spool/resilience/rate_limiter.hpp>

#include <support/runtimes.hpp>

#include "manual_clock.hpp"
#include "runtime/threads.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <list>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace spool;
using std::chrono::nanoseconds;

// All times are multiples of this, so that the limiter's floating-point arithmetic is exact; and so long (18 minutes)
// that no waiter of the test, which sleeps in real time, wakes up by itself.
constexpr std::int64_t tick = std::int64_t{1} << 40;

struct request {
  std::int64_t at;  // in ticks, as all times here
  std::int64_t tokens;
};

class bucket {
 public:
  bucket(std::int64_t ticks_per_token, std::int64_t burst) : interval_(ticks_per_token), burst_(burst) {}

  /// When so many could be taken, first come, first served.
  std::int64_t moment_for(std::int64_t tokens, std::int64_t now) const {
    std::int64_t credit = burst_ * interval_;
    std::int64_t at = 0;
    const auto refill = [&](std::int64_t until) {
      credit = std::min(burst_ * interval_, credit + until - at);
      at = until;
    };
    for (const request& r : taken_) {
      refill(r.at);
      credit -= r.tokens * interval_;
    }
    if (at < now) refill(now);
    return at + std::max<std::int64_t>(0, tokens * interval_ - credit);
  }
  std::list<request>::iterator add(std::int64_t at, std::int64_t tokens) {
    return taken_.insert(taken_.end(), {at, tokens});
  }
  void remove(std::list<request>::iterator r) { taken_.erase(r); }

  /// The definition of the limit: in no span of time more than the burst and what came in.
  bool keeps_the_limit() const {
    for (auto first = taken_.begin(); first != taken_.end(); ++first) {
      std::int64_t sum = 0;
      for (auto last = first; last != taken_.end(); ++last) {
        sum += last->tokens * interval_;
        if (last->at < first->at || sum > burst_ * interval_ + last->at - first->at) return false;
      }
    }
    return true;
  }

 private:
  std::int64_t interval_;
  std::int64_t burst_;
  std::list<request> taken_;  // in the order of their moments; those to come included
};

class Sequence {
 public:
  explicit Sequence(std::uint64_t seed)
      : random_(seed),
        interval_(std::int64_t{1} << below(3)),
        burst_(1 + below(6)),
        expected_(interval_, burst_),
        limiter_({.per_second = 1e9 / static_cast<double>(interval_ * tick), .burst = burst_, .now = clock_}) {}

  std::optional<std::string> play() {
    std::optional<std::string> wrong;
    for (int i = 0; i < 60 && !wrong; ++i) {
      switch (below(8)) {
        case 0:
          now_ += 1;
          clock_.advance(nanoseconds(tick));
          break;
        case 1: {
          const std::int64_t ticks = below(3 * interval_);
          now_ += ticks;
          clock_.advance(nanoseconds(ticks * tick));
          break;
        }
        case 2: wrong = try_acquire(); break;
        case 3:
        case 4:
          if (!waiting_.empty()) wrong = cancel(below(static_cast<std::int64_t>(waiting_.size())));
          break;
        default: wrong = acquire(); break;
      }
    }
    while (!wrong && !waiting_.empty()) wrong = cancel(below(static_cast<std::int64_t>(waiting_.size())));
    if (!wrong && !expected_.keeps_the_limit()) wrong = "more was given out than the limit allows";
    return wrong;
  }
  ~Sequence() {
    for (wait& w : waiting_) {
      w.scope.cancel();
      (void)w.ended.get();
    }
  }

 private:
  struct wait {
    std::list<request>::iterator entry;
    cancel_scope scope;
    future<error> ended;
  };

  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }

  std::optional<std::string> try_acquire() {
    const std::int64_t n = 1 + below(burst_);
    const bool possible = expected_.moment_for(n, now_) == now_;
    if (limiter_.try_acquire(n) != possible) return possible ? "try_acquire refused" : "try_acquire gave";
    if (possible) expected_.add(now_, n);
    return std::nullopt;
  }

  std::optional<std::string> acquire() {
    const std::int64_t n = 1 + below(burst_);
    const std::int64_t at = expected_.moment_for(n, now_);
    if (limiter_.delay(n) != nanoseconds((at - now_) * tick)) return "delay";
    cancel_scope scope = with_cancel(context::background());
    auto ended = async([this, n, ctx = scope.ctx()] { return limiter_.acquire(ctx, n); });
    this_fiber::yield();  // one worker: it has what it wants by now, or waits
    waiting_.push_back({expected_.add(at, n), std::move(scope), std::move(ended)});
    return std::nullopt;
  }

  std::optional<std::string> cancel(std::int64_t which) {
    const auto w = waiting_.begin() + which;
    const bool too_late = w->entry->at <= now_;
    w->scope.cancel();
    const error e = w->ended.get();
    if (!too_late) expected_.remove(w->entry);
    waiting_.erase(w);
    if (too_late && e) return "a wait whose moment had come ended with " + e.message();
    if (!too_late && e != errc::canceled) return "a cancelled wait was served";
    return std::nullopt;
  }

  std::mt19937_64 random_;
  std::int64_t interval_;
  std::int64_t burst_;
  std::int64_t now_ = 0;
  spool_test::manual_clock clock_;
  bucket expected_;
  rate_limiter limiter_;
  std::vector<wait> waiting_;
};

TEST(RateLimiterModel, AgreesOnRandomSequences) {
  std::uint64_t seed = std::random_device{}();
  if (const char* given = std::getenv("SPOOL_TEST_SEED")) seed = std::strtoull(given, nullptr, 10);
  std::cout << "SPOOL_TEST_SEED=" << seed << '\n';
  runtime rt({.threads = 1});
  rt.run([&] {
    constexpr std::uint64_t sequences = spool_test::sanitized ? 300 : 5'000;
    for (std::uint64_t i = 0; i < sequences; ++i) {
      const auto wrong = Sequence(seed + i).play();
      ASSERT_FALSE(wrong) << *wrong << "; the first sequence with SPOOL_TEST_SEED=" << seed + i;
    }
  });
}

}  // namespace
