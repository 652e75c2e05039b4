// circuit_breaker against a model of the rules, on random sequences. The model keeps every call ever begun and replays
// no code of the breaker: it moves from event to event in the order of time.
#include <spool/resilience/circuit_breaker.hpp>

#include "manual_clock.hpp"
#include "runtime/threads.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using spool::circuit_breaker;
using spool::circuit_state;
using std::chrono::nanoseconds;

enum class answer { ok, failed, canceled, unrelated };  // unrelated: an error that does not count as a failure

struct limits {
  int threshold;
  int probes;
  std::int64_t open_for;
  std::int64_t probe_timeout;
};

class model {
 public:
  explicit model(limits l) : limits_(l) {}

  circuit_state state() const { return state_; }
  const std::vector<circuit_state>& history() const { return history_; }

  /// Tick by tick, so that nothing can be overlooked.
  void advance(std::int64_t ticks) {
    for (; ticks > 0; --ticks) {
      ++now_;
      tick();
    }
  }

  /// The number of the call, or -1: refused.
  int begin() {
    if (state_ == circuit_state::open) return -1;
    if (state_ == circuit_state::half_open) {
      int places = limits_.probes;
      for (const call& c : calls_) {
        if (c.period == period_ && (c.status == running || c.status == good)) --places;
      }
      if (places <= 0) return -1;
    }
    calls_.push_back({period_, now_, running});
    return static_cast<int>(calls_.size()) - 1;
  }

  void end(int number, answer a) {
    call& c = calls_[static_cast<std::size_t>(number)];
    if (c.status != running) return;  // timed out
    c.status = a == answer::failed ? bad : a == answer::canceled ? void_of_meaning : good;
    if (c.period != period_) return;
    if (state_ == circuit_state::half_open) {
      if (c.status == bad) {
        change(circuit_state::open, now_);
      } else if (goods() == limits_.probes) {
        change(circuit_state::closed, now_);
      }
    } else {
      if (c.status == good) row_ = 0;
      if (c.status == bad && ++row_ >= limits_.threshold) change(circuit_state::open, now_);
    }
  }

 private:
  enum call_status { running, good, bad, void_of_meaning };
  struct call {
    int period;
    std::int64_t began;
    call_status status;
  };

  void tick() {
    if (state_ == circuit_state::half_open) {
      bool hung = false;
      for (call& c : calls_) {
        if (c.period == period_ && c.status == running && now_ >= c.began + limits_.probe_timeout) {
          c.status = bad;
          hung = true;
        }
      }
      if (hung) change(circuit_state::open, now_);
    } else if (state_ == circuit_state::open && now_ >= opened_ + limits_.open_for) {
      change(circuit_state::half_open, now_);
    }
  }

  int goods() const {
    int n = 0;
    for (const call& c : calls_) n += c.period == period_ && c.status == good;
    return n;
  }

  void change(circuit_state to, std::int64_t when) {
    state_ = to;
    ++period_;
    row_ = 0;
    opened_ = when;
    history_.push_back(to);
  }

  limits limits_;
  circuit_state state_ = circuit_state::closed;
  std::vector<circuit_state> history_;
  std::vector<call> calls_;
  std::int64_t now_ = 0;
  std::int64_t opened_ = 0;
  int period_ = 0;
  int row_ = 0;
};

spool::error as_error(answer a) {
  switch (a) {
    case answer::failed: return spool::errc::closed;
    case answer::canceled: return spool::errc::canceled;
    case answer::unrelated: return spool::errc::empty;
    case answer::ok: break;
  }
  return {};
}

struct tally {
  std::size_t operations = 0, refused = 0, ignored = 0, changes = 0;
};

class Sequence {
 public:
  Sequence(std::uint64_t seed, tally& totals) : random_(seed), totals_(totals) {}

  /// Says what went wrong, or nothing.
  std::optional<std::string> play() {
    const limits l{int(1 + below(4)), int(1 + below(3)), 1 + below(12), 1 + below(12)};
    model expected(l);
    const spool_test::manual_clock clock;
    std::vector<circuit_state> seen;
    circuit_breaker b({.failure_threshold = l.threshold,
                       .open_for = nanoseconds(l.open_for),
                       .half_open_probes = l.probes,
                       .probe_timeout = nanoseconds(l.probe_timeout),
                       .is_failure = [](const spool::error& e) { return e == spool::errc::closed; },
                       .on_state_change = [&](circuit_state, circuit_state to) { seen.push_back(to); },
                       .now = clock});
    std::vector<std::pair<int, std::unique_ptr<circuit_breaker::attempt>>> under_way;
    const std::int64_t bias = below(4);  // some dependencies fail more often than others
    for (std::int64_t left = 20 + below(40); left > 0; --left) {
      ++totals_.operations;
      const std::int64_t what = below(10);
      if (what < 4) {
        const int number = expected.begin();
        auto a = std::make_unique<circuit_breaker::attempt>(b);
        if (static_cast<bool>(*a) != (number >= 0)) return number >= 0 ? "refused a call" : "let a call pass";
        if (number >= 0) under_way.emplace_back(number, std::move(a));
        totals_.refused += number < 0;
      } else if (what < 8 && !under_way.empty()) {
        const auto which = under_way.begin() + below(static_cast<std::int64_t>(under_way.size()));
        const answer given = below(4) < bias ? answer::failed : static_cast<answer>(below(4));
        expected.end(which->first, given);
        if (given == answer::canceled && below(2) == 0) {
          which->second.reset();  // never finished
        } else {
          which->second->finish(as_error(given));
        }
        under_way.erase(which);
      } else if (what >= 8) {
        const std::int64_t ticks = 1 + below(8);
        expected.advance(ticks);
        clock.advance(nanoseconds(ticks));
      }
      if (b.state() != expected.state()) return "state " + name(b.state()) + " instead of " + name(expected.state());
    }
    // What time has changed is reported with the next call.
    const int last = expected.begin();
    if (static_cast<bool>(circuit_breaker::attempt(b)) != (last >= 0)) return "the last call";
    if (seen != expected.history()) return "the changes reported differ";
    totals_.changes += seen.size();
    return std::nullopt;
  }

 private:
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
  static std::string name(circuit_state s) {
    return s == circuit_state::closed ? "closed" : s == circuit_state::open ? "open" : "half-open";
  }

  std::mt19937_64 random_;
  tally& totals_;
};

TEST(CircuitBreakerModel, AgreesOnRandomSequences) {
  std::uint64_t seed = std::random_device{}();
  if (const char* given = std::getenv("SPOOL_TEST_SEED")) seed = std::strtoull(given, nullptr, 10);
  std::cout << "SPOOL_TEST_SEED=" << seed << '\n';
  tally totals;
  constexpr std::uint64_t sequences = spool_test::sanitized ? 3'000 : 100'000;
  for (std::uint64_t i = 0; i < sequences; ++i) {
    const auto wrong = Sequence(seed + i, totals).play();
    ASSERT_FALSE(wrong) << *wrong << "; the first sequence with SPOOL_TEST_SEED=" << seed + i;
  }
  // The sequences went where it matters.
  EXPECT_GT(totals.changes, sequences);
  EXPECT_GT(totals.refused, sequences);
  std::cout << totals.operations << " operations, " << totals.refused << " refused, " << totals.changes << " changes\n";
}

}  // namespace
