// Random programs: a few fibers, each with a few operations on shared channels, a semaphore, a mutex and a context, all
// drawn from a seed. Every wait is bounded, in the bubble's time, so that each program ends.
#pragma once

#include "models/history.hpp"

#include <spool/testing/explore.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace spool_test {

/// As many seeds in a plain run as 10,000, with tests/run --long a million; a part of these.
inline std::uint64_t seeds(std::uint64_t divisor = 1) {
  return (std::getenv("SPOOL_TEST_LONG") != nullptr ? 1'000'000u : 10'000u) / divisor;
}

class dice {
 public:
  explicit dice(std::uint64_t seed) noexcept : state_(seed * 0xd1342543de82ef95u + 1) {}
  /// From 0 to n - 1.
  unsigned roll(unsigned n) noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<unsigned>(((z ^ (z >> 31)) >> 32) * n >> 32);
  }
  bool one_in(unsigned n) noexcept { return roll(n) == 0; }

 private:
  std::uint64_t state_;
};

struct program_shape {
  unsigned most_fibers = 4;
  unsigned most_operations = 5;  // of each fiber; a section under the mutex or semaphore counts once
  unsigned channels = 2;
  bool locks = true;             // mutex and semaphore
  bool selects = true;
  bool contexts = true;
};

class program {
 public:
  program(std::uint64_t seed, const program_shape& shape) : shape_(shape), dice_(seed), scope_(make_scope()) {
    for (unsigned i = 0; i < shape.channels; ++i) {
      record_.capacities.push_back(static_cast<std::uint8_t>(dice_.roll(4)));
      channels_.emplace_back(record_.capacities.back());
    }
    record_.units = static_cast<std::uint8_t>(1 + dice_.roll(2));
    semaphore_ = std::make_unique<spool::semaphore>(record_.units);
  }

  history run() {
    const unsigned fibers = 2 + dice_.roll(shape_.most_fibers - 1);
    record_.operations.reserve(64);
    spool::wait_group all;
    for (unsigned f = 0; f < fibers; ++f) {
      all.go([this, f, own = dice(dice_.roll(~0u))]() mutable {
        const unsigned count = 1 + own.roll(shape_.most_operations);
        for (unsigned i = 0; i < count && record_.operations.size() < most_operations; ++i) act(f, own);
      });
    }
    all.wait();
    return std::move(record_);
  }

 private:
  using duration = std::chrono::nanoseconds;
  static constexpr std::size_t most_operations = 48;  // of a program; those under way may add some

  static spool::cancel_scope make_scope() { return spool::with_cancel(spool::context::background()); }
  duration some_time(dice& d) { return duration(1 + d.roll(1000)); }
  std::uint8_t fresh_value() { return ++last_value_; }

  /// Writes down an operation around `f`, which tells its answer.
  template <class F>
  void note(operation op, F f) {
    const std::size_t place = record_.operations.size();
    op.invoked = ++events_;
    op.returned = ~std::uint32_t{0};
    record_.operations.push_back(op);
    f(op);
    op.returned = ++events_;
    op.returned_at = spool::this_fiber::now();
    record_.operations[place] = std::move(op);
  }

  void act(unsigned fiber, dice& d) {
    switch (d.roll(10)) {
      case 0:
      case 1:
      case 2: return send(fiber, d);
      case 3:
      case 4:
      case 5: return receive(fiber, d);
      case 6: return shape_.locks ? guarded_by_mutex(fiber, d) : receive(fiber, d);
      case 7: return shape_.locks ? guarded_by_semaphore(fiber, d) : send(fiber, d);
      case 8: return shape_.selects ? choose(fiber, d) : receive(fiber, d);
      default:
        if (shape_.contexts && d.one_in(3)) return cancel(fiber);
        return d.one_in(2) ? close(fiber, d) : send(fiber, d);
    }
  }

  static answer answer_of(spool::channel_status s) {
    switch (s) {
      case spool::channel_status::ok: return answer::ok;
      case spool::channel_status::closed: return answer::closed;
      case spool::channel_status::canceled: return answer::canceled;
      case spool::channel_status::timeout: return answer::timeout;
      default: return answer::would_block;
    }
  }
  static answer answer_of(const spool::error& e) {
    if (!e) return answer::ok;
    if (e == spool::errc::closed) return answer::closed;
    if (e == spool::errc::canceled) return answer::canceled;
    return e == spool::errc::deadline_exceeded ? answer::timeout : answer::would_block;
  }

  operation on_channel(unsigned fiber, action what, dice& d) {
    operation op;
    op.what = what;
    op.fiber = fiber;
    op.object = static_cast<std::uint8_t>(d.roll(static_cast<unsigned>(channels_.size())));
    return op;
  }

  void send(unsigned fiber, dice& d) {
    operation op = on_channel(fiber, action::send, d);
    op.value = fresh_value();
    const unsigned way = d.roll(shape_.contexts ? 3 : 2);
    op.bounded_by_context = way == 2;
    note(op, [&](operation& o) {
      spool::channel<int>& c = channels_[o.object];
      if (way == 0) {
        o.result = answer_of(c.try_send(o.value));
      } else if (way == 1) {
        o.result = answer_of(c.send_for(some_time(d), o.value));
      } else {
        const spool::cancel_scope bounded = spool::with_timeout(scope_.ctx(), some_time(d));
        o.result = answer_of(c.send(bounded.ctx(), o.value));
      }
    });
  }

  void receive(unsigned fiber, dice& d) {
    operation op = on_channel(fiber, action::recv, d);
    const unsigned way = d.roll(shape_.contexts ? 3 : 2);
    op.bounded_by_context = way == 2;
    note(op, [&](operation& o) {
      spool::channel<int>& c = channels_[o.object];
      std::optional<spool::result<int>> got;
      if (way == 0) {
        got = c.try_recv();
      } else if (way == 1) {
        got = c.recv_for(some_time(d));
      } else {
        const spool::cancel_scope bounded = spool::with_timeout(scope_.ctx(), some_time(d));
        got = c.recv(bounded.ctx());
      }
      o.result = got->has_value() ? answer::ok : answer_of(got->error());
      if (got->has_value()) o.value = static_cast<std::uint8_t>(**got);
    });
  }

  void close(unsigned fiber, dice& d) {
    note(on_channel(fiber, action::close, d),
         [&](operation& o) { o.result = channels_[o.object].close() ? answer::ok : answer::closed; });
  }

  void cancel(unsigned fiber) {
    operation op;
    op.what = action::cancel;
    op.fiber = fiber;
    note(op, [&](operation&) { scope_.cancel(); });
  }

  void guarded_by_mutex(unsigned fiber, dice& d) {
    operation op;
    op.what = action::lock;
    op.fiber = fiber;
    bool locked = false;
    const unsigned way = d.roll(shape_.contexts ? 4 : 3);
    op.bounded_by_context = way == 3;
    note(op, [&](operation& o) {
      if (way == 0) {
        mutex_.lock();
      } else if (way == 1) {
        o.result = mutex_.try_lock() ? answer::ok : answer::would_block;
      } else if (way == 2) {
        o.result = mutex_.try_lock_for(some_time(d)) ? answer::ok : answer::timeout;
      } else {
        const spool::cancel_scope bounded = spool::with_timeout(scope_.ctx(), some_time(d));
        o.result = answer_of(mutex_.lock(bounded.ctx()));
      }
      locked = o.result == answer::ok;
    });
    if (!locked) return;
    if (++inside_ != 1) throw std::runtime_error("two fibers hold the mutex");
    if (d.one_in(2)) send(fiber, d);
    if (--inside_ != 0) throw std::runtime_error("two fibers hold the mutex");
    op.what = action::unlock;
    op.bounded_by_context = false;
    note(op, [&](operation&) { mutex_.unlock(); });
  }

  void guarded_by_semaphore(unsigned fiber, dice& d) {
    operation op;
    op.what = action::acquire;
    op.fiber = fiber;
    op.value = static_cast<std::uint8_t>(1 + d.roll(record_.units));
    op.bounded_by_context = true;
    bool acquired = false;
    const bool waits = !d.one_in(3);
    note(op, [&](operation& o) {
      if (waits) {
        const spool::cancel_scope bounded =
            spool::with_timeout(shape_.contexts ? scope_.ctx() : spool::context::background(), some_time(d));
        o.result = answer_of(semaphore_->acquire(bounded.ctx(), o.value));
      } else {
        o.bounded_by_context = false;
        o.result = semaphore_->try_acquire(o.value) ? answer::ok : answer::would_block;
      }
      acquired = o.result == answer::ok;
    });
    if (!acquired) return;
    if (d.one_in(2)) receive(fiber, d);
    op.what = action::release;
    op.bounded_by_context = false;
    note(op, [&](operation& o) { semaphore_->release(o.value); });
  }

  void choose(unsigned fiber, dice& d) {
    operation op;
    op.fiber = fiber;
    const unsigned count = 1 + d.roll(3);
    for (unsigned i = 0; i < count; ++i) {
      step s = on_channel(fiber, d.one_in(2) ? action::send : action::recv, d);
      if (s.what == action::send) s.value = fresh_value();
      op.cases.push_back(s);
    }
    op.watches_context = shape_.contexts && d.one_in(3);
    const bool waits = !d.one_in(3);
    note(op, [&](operation& o) {
      std::vector<int> values(o.cases.size());
      std::vector<spool::select_case> cases;
      cases.reserve(o.cases.size() + 2);
      for (std::size_t i = 0; i < o.cases.size(); ++i) {
        const step& s = o.cases[i];
        values[i] = s.value;
        if (s.what == action::send) {
          cases.emplace_back(spool::on_send(channels_[s.object], values[i], [&o](bool sent) {
            o.result = sent ? answer::ok : answer::closed;
          }));
        } else {
          cases.emplace_back(spool::on_recv(channels_[s.object], [&o, &values, i](std::optional<int> v) {
            o.result = v ? answer::ok : answer::closed;
            if (v) values[i] = *v;
          }));
        }
      }
      if (o.watches_context) cases.emplace_back(spool::on_done(scope_.ctx(), [&o] { o.result = answer::canceled; }));
      if (waits) {
        cases.emplace_back(spool::on_timeout(some_time(d), [&o] { o.result = answer::timeout; }));
      } else {
        cases.emplace_back(spool::otherwise([&o] { o.result = answer::would_block; }));
      }
      const std::size_t chosen = spool::select(std::span(cases));
      if (chosen >= o.cases.size()) return;
      static_cast<step&>(o) = o.cases[chosen];
      o.value = static_cast<std::uint8_t>(values[chosen]);
    });
  }

  program_shape shape_;
  dice dice_;
  history record_;
  std::vector<spool::channel<int>> channels_;
  std::unique_ptr<spool::semaphore> semaphore_;
  spool::mutex mutex_;
  spool::cancel_scope scope_;
  std::uint32_t events_ = 0;
  std::uint8_t last_value_ = 0;
  int inside_ = 0;
};

/// What the search does not see: who was called when the context was done already must say so.
inline bool done_contexts_win(const history& h) {
  for (const operation& cancel : h.operations) {
    if (cancel.what != action::cancel) continue;
    for (const operation& op : h.operations) {
      if (op.bounded_by_context && op.invoked > cancel.returned && op.result != answer::canceled) return false;
    }
  }
  return true;
}

}  // namespace spool_test
