// What is mixed. Each wait names what it is for, so that the watchdog can tell whether that is there.
#include "round.hpp"

#include <array>
#include <chrono>
#include <mutex>
#include <optional>

namespace stress {
namespace {

using namespace std::chrono_literals;
using spool::channel_status;
using clock = std::chrono::steady_clock;

std::string numbered(const char* name, unsigned i) { return name + (" " + std::to_string(i)); }

there_fn flag(const std::atomic<bool>& set, const char* text) {
  return [&set, text] { return set.load() ? text : ""; };
}

there_fn time_has_come(clock::time_point when) {
  return [when] { return clock::now() >= when ? "its time has come" : ""; };
}

/// A channel of which is known who waits.
struct road {
  spool::channel<unsigned> c;
  std::atomic<int> senders{0};
  std::atomic<int> receivers{0};
  explicit road(unsigned capacity) : c(capacity) {}

  std::string something_to_receive() const {
    if (c.size() > 0) return std::to_string(c.size()) + " values are in it";
    if (c.closed()) return "it is closed";
    return senders > 0 ? "somebody waits to send" : "";
  }
  std::string room() const {
    if (c.closed()) return "it is closed";
    if (c.size() < c.capacity()) return "there is room";
    return receivers > 0 ? "somebody waits to receive" : "";
  }
};

struct counted {
  explicit counted(std::atomic<int>& n) : n_(n) { ++n_; }
  ~counted() { --n_; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  std::atomic<int>& n_;
};

struct traffic {
  std::array<road, 2> roads;
  std::atomic<unsigned> producers;
  std::atomic<std::uint64_t> sent{0}, received{0};

  traffic(unsigned one, unsigned two, unsigned sending) : roads{road(one), road(two)}, producers(sending) {}

  void send(activity& self, dice& d, unsigned value) {
    road& way = roads[below(d, 2)];
    road& other = &way == &roads[0] ? roads[1] : roads[0];
    sent += value;
    switch (below(d, 5)) {
      case 0:
        if (way.c.try_send(value) == channel_status::ok) return;
        break;
      case 1: {
        const counted waiting(way.senders);
        const auto until = clock::now() + 5ms;
        if (self.waits("channel send_for", time_has_come(until), [&] { return way.c.send_for(5ms, value); }) ==
            channel_status::ok) {
          return;
        }
        break;
      }
      case 2: {
        const counted waiting(way.senders), there_too(other.senders);
        self.waits(
            "select of two sends", [&] { return way.room() + other.room(); },
            [&] { spool::select(spool::on_send(way.c, value), spool::on_send(other.c, value)); });
        return;
      }
      default: break;
    }
    const counted waiting(way.senders);
    require(self.waits(
                "channel send", [&] { return way.room(); }, [&] { return way.c.send(value); }),
            "a channel is closed before its producers have ended");
  }

  void produce(round& r, activity& self, dice& d, unsigned values) {
    for (unsigned i = 0; i < values; ++i) {
      send(self, d, 1 + below(d, 1000));
      r.think(self, d);
    }
    if (producers.fetch_sub(1) == 1) {
      for (road& way : roads) way.c.close();
    }
  }

  void consume(round& r, activity& self, dice& d, unsigned home) {
    std::array<bool, 2> open{true, true};
    const auto take = [&](unsigned from, std::optional<unsigned> value) {
      if (value) {
        received += *value;
      } else {
        open[from] = false;
      }
    };
    while (open[0] || open[1]) {
      const unsigned from = open[home] ? home : 1 - home;
      road& way = roads[from];
      const unsigned how = open[0] && open[1] ? below(d, 4) : below(d, 2);
      if (how >= 2) {
        const counted waiting(roads[0].receivers), there_too(roads[1].receivers);
        self.waits(
            "select of two receives", [&] { return roads[0].something_to_receive() + roads[1].something_to_receive(); },
            [&] {
              spool::select(spool::on_recv(roads[0].c, [&](std::optional<unsigned> v) { take(0, v); }),
                            spool::on_recv(roads[1].c, [&](std::optional<unsigned> v) { take(1, v); }));
            });
      } else if (how == 1 && !r.sparse) {
        const counted waiting(way.receivers);
        self.waits(
            "select of a receive and a timeout", [&] { return way.something_to_receive(); },
            [&] {
              spool::select(spool::on_recv(way.c, [&](std::optional<unsigned> v) { take(from, v); }),
                            spool::on_timeout(2ms));
            });
      } else {
        const counted waiting(way.receivers);
        take(from, self.waits(
                       "channel recv", [&] { return way.something_to_receive(); }, [&] { return way.c.recv(); }));
      }
      r.think(self, d);
    }
  }
};

}  // namespace

void channels(round& r) {
  constexpr std::array<unsigned, 4> capacities{0, 0, 1, 4};
  const unsigned sending = 1 + r.draw(r.sparse ? 2 : 4);
  const unsigned receiving = 2 + r.draw(r.sparse ? 1 : 3);
  const auto t = std::make_shared<traffic>(capacities[r.draw(4)], capacities[r.draw(4)], sending);
  for (unsigned i = 0; i < sending; ++i) {
    r.either(numbered("producer", i),
             [&r, t, values = r.length()](activity& self, dice& d) { t->produce(r, self, d, values); });
  }
  for (unsigned i = 0; i < receiving; ++i) {
    r.either(numbered("consumer", i), [&r, t, i](activity& self, dice& d) { t->consume(r, self, d, i % 2); });
  }
  r.at_end([t] { require(t->sent == t->received, "what was received is not what was sent"); });
}

void locks(round& r) {
  struct shared {
    spool::mutex mu;
    std::atomic<int> holders{0};
    std::uint64_t count = 0;  // guarded by mu
    std::atomic<std::uint64_t> expected{0};
  };
  const auto s = std::make_shared<shared>();
  const unsigned holders = 2 + r.draw(r.sparse ? 2 : 5);
  for (unsigned i = 0; i < holders; ++i) {
    r.either(numbered("locker", i), [&r, s, times = r.length()](activity& self, dice& d) {
      const auto free = [&] { return s->holders == 0 ? "nobody holds it" : ""; };
      for (unsigned n = 0; n < times; ++n) {
        bool locked = below(d, 3) == 0 && s->mu.try_lock();
        if (!locked && below(d, 4) == 0) {
          const auto scope = spool::with_timeout(spool::context::background(), 2ms);
          locked = !self.waits("mutex::lock(ctx)", free, [&] { return s->mu.lock(scope.ctx()); });
        }
        if (!locked) self.waits("mutex::lock", free, [&] { s->mu.lock(); });
        require(s->holders.fetch_add(1) == 0, "two hold a mutex");
        ++s->count;
        ++s->expected;
        if (below(d, 8) == 0) r.think(self, d);
        s->holders.fetch_sub(1);
        s->mu.unlock();
        r.think(self, d);
      }
    });
  }
  r.at_end([s] { require(s->count == s->expected, "an increment under a mutex was lost"); });
}

// A ring of condition variables: everybody waits for its turn, and calls the next.
void turns(round& r) {
  struct ring {
    spool::mutex mu;
    std::vector<spool::condition_variable> called;
    std::atomic<unsigned> turn{0};  // written under mu
    explicit ring(unsigned n) : called(n) {}
  };
  const unsigned members = 2 + r.draw(3);
  const auto s = std::make_shared<ring>(members);
  const unsigned times = r.length();
  for (unsigned i = 0; i < members; ++i) {
    r.either(numbered("member", i), [&r, s, i, members, times](activity& self, dice& d) {
      const auto its_turn = [&] { return s->turn % members == i; };
      for (unsigned n = 0; n < times; ++n) {
        {
          std::unique_lock lock(s->mu, std::defer_lock);
          self.waits(
              "mutex::lock, then condition_variable::wait", [&] { return its_turn() ? "its turn has come" : ""; },
              [&] {
                lock.lock();
                s->called[i].wait(lock, its_turn);
              });
          ++s->turn;
          s->called[(i + 1) % members].notify_one();
        }
        r.think(self, d);
      }
    });
  }
}

void permits(round& r) {
  struct shared {
    spool::semaphore s{4};
    std::atomic<int> taken{0};
  };
  const auto s = std::make_shared<shared>();
  const unsigned users = 2 + r.draw(r.sparse ? 2 : 5);
  for (unsigned i = 0; i < users; ++i) {
    r.either(numbered("user", i), [&r, s, times = r.length()](activity& self, dice& d) {
      const auto free = [&] { return s->taken == 0 ? "nobody has a permit" : ""; };
      for (unsigned n = 0; n < times; ++n) {
        const int wanted = 1 + static_cast<int>(below(d, 4));
        bool got = below(d, 4) == 0 && s->s.try_acquire(wanted);
        if (!got && below(d, 4) == 0) {
          const auto scope = spool::with_timeout(spool::context::background(), 2ms);
          got = !self.waits("semaphore::acquire(ctx)", free, [&] { return s->s.acquire(scope.ctx(), wanted); });
        }
        if (!got) self.waits("semaphore::acquire", free, [&] { s->s.acquire(wanted); });
        require(s->taken.fetch_add(wanted) + wanted <= 4, "more permits are taken than there are");
        r.think(self, d);
        s->taken.fetch_sub(wanted);
        s->s.release(wanted);
      }
    });
  }
  r.at_end([s] { require(s->s.try_acquire(4), "a permit was lost"); });
}

void jobs(round& r) {
  struct shared {
    spool::worker_pool pool;
    std::atomic<std::uint64_t> begun{0}, ended{0};
    shared(spool::runtime& rt, std::size_t workers, std::size_t capacity)
        : pool(rt, {.workers = workers, .queue_capacity = capacity}), capacity_(capacity) {}
    std::string room() const {
      const auto stats = pool.stats();
      return stats.queued < capacity_ || (capacity_ == 0 && stats.busy == 0) ? "the pool has room" : "";
    }
    std::size_t capacity_;
  };
  const auto s = std::make_shared<shared>(r.rt(), 1 + r.draw(3), r.draw(4));
  const unsigned submitters = 1 + r.draw(r.sparse ? 2 : 4);
  for (unsigned i = 0; i < submitters; ++i) {
    r.either(numbered("submitter", i), [&r, s, times = r.length()](activity& self, dice& d) {
      for (unsigned n = 0; n < times; ++n) {
        ++s->begun;
        std::atomic<bool> done{false};
        const bool nested = below(d, 4) == 0;
        auto outcome = self.waits(
            "worker_pool::submit", [&] { return s->room(); },
            [&] {
              return s->pool.submit([&done, s, nested, n] {
                const unsigned inner = nested ? s->pool.submit([n] { return n; }).get() : n;
                ++s->ended;
                done = true;
                return inner;
              });
            });
        r.think(self, d);
        require(self.waits("future::get", flag(done, "its job has ended"), [&] { return outcome.get(); }) == n,
                "a future has another's result");
        if (below(d, 4) == 0) {
          ++s->begun;
          if (s->pool.try_post([s] { ++s->ended; }) != channel_status::ok) --s->begun;
        }
      }
    });
  }
  r.at_end([s] {
    require(!s->pool.drain(), "a pool does not drain");
    require(s->begun == s->ended, "a job was lost");
  });
}

void cancellations(round& r) {
  struct shared {
    std::vector<spool::cancel_scope> parents, children;
    spool::channel<int> never;
  };
  const auto s = std::make_shared<shared>();
  const unsigned times = r.length();
  for (unsigned i = 0; i < times; ++i) {
    s->parents.push_back(spool::with_cancel(spool::context::background()));
    s->children.push_back(spool::with_timeout(s->parents.back().ctx(), 1h));
  }
  r.either("canceller", [&r, s](activity& self, dice& d) {
    for (const auto& scope : s->parents) {
      r.think(self, d);
      scope.cancel();
    }
  });
  for (unsigned i = 0; i < 2; ++i) {
    r.either(numbered("cancelled", i), [&r, s](activity& self, dice& d) {
      for (const auto& scope : s->children) {
        const spool::context& ctx = scope.ctx();
        const auto is_done = [&] { return ctx.done() ? "it is done" : ""; };
        switch (below(d, 3)) {
          case 0: self.waits("context::wait", is_done, [&] { ctx.wait(); }); break;
          case 1: (void)self.waits("channel recv(ctx)", is_done, [&] { return s->never.recv(ctx); }); break;
          default:
            self.waits("select with on_done", is_done,
                       [&] { spool::select(spool::on_recv(s->never), spool::on_done(ctx)); });
        }
        r.think(self, d);
      }
    });
  }
}

// Everybody waits for everybody, again and again.
void meetings(round& r) {
  const unsigned members = 2 + r.draw(4);
  const unsigned times = r.length();
  const auto latches = std::make_shared<std::vector<std::unique_ptr<spool::latch>>>();
  for (unsigned n = 0; n < times; ++n) latches->push_back(std::make_unique<spool::latch>(members));
  for (unsigned i = 0; i < members; ++i) {
    r.either(numbered("visitor", i), [&r, latches](activity& self, dice& d) {
      for (const auto& l : *latches) {
        r.think(self, d);
        l->count_down();
        self.waits(
            "latch::wait", [&] { return l->try_wait() ? "it has come to 0" : ""; }, [&] { l->wait(); });
      }
    });
  }
}

void groups(round& r) {
  for (unsigned i = 0; i < 1 + r.draw(2); ++i) {
    r.fiber(numbered("group", i), [&r, times = r.length() / 4](activity& self, dice& d) {
      for (unsigned n = 0; n < times; ++n) {
        const unsigned tasks = 1 + below(d, 5);
        const bool fails = below(d, 2) == 0;
        std::atomic<unsigned> ended{0};
        spool::errgroup group;
        if (below(d, 2) == 0) group.set_limit(2);
        for (unsigned t = 0; t < tasks; ++t) {
          self.waits(
              "errgroup::go", [&] { return ended == t ? "no task runs" : ""; },
              [&] {
                group.go([&, t]() -> spool::error {
                  if (fails && t == 0) {
                    ++ended;
                    return spool::errc::full;
                  }
                  if (fails) group.context().wait();
                  if (t % 2 == 1) spool::this_fiber::yield();
                  ++ended;
                  return {};
                });
              });
        }
        const spool::error e = self.waits(
            "errgroup::wait", [&] { return ended == tasks ? "all tasks have ended" : ""; },
            [&] { return group.wait(); });
        require((e == spool::errc::full) == fails, "a group's error is not its first");
        r.think(self, d);
      }
    });
  }
}

void timers(round& r) {
  for (unsigned i = 0; i < 2 + r.draw(3); ++i) {
    r.either(numbered("sleeper", i), [&r, times = r.length() / 4](activity& self, dice& d) {
      for (unsigned n = 0; n < times; ++n) {
        const auto length = std::chrono::microseconds(below(d, 1500));
        const auto come = time_has_come(clock::now() + length);
        switch (below(d, 4)) {
          case 0: self.waits("sleep_for", come, [&] { spool::this_fiber::sleep_for(length); }); break;
          case 1: (void)self.waits("after", come, [&] { return spool::after(length).recv(); }); break;
          case 2: {
            const auto scope = spool::with_timeout(spool::context::background(), length);
            self.waits("context::wait with a deadline", come, [&] { scope.ctx().wait(); });
            break;
          }
          default: {
            spool::timer t(1h);
            t.reset(length);
            (void)self.waits("timer", come, [&] { return t.c().recv(); });
          }
        }
        r.think(self, d);
      }
    });
  }
}

void blocking_calls(round& r) {
  r.fiber("caller", [&r, times = r.length() / 4](activity& self, dice& d) {
    for (unsigned n = 0; n < times; ++n) {
      std::atomic<bool> ended{false};
      self.waits("blocking", flag(ended, "the call has ended"), [&] {
        spool::blocking([&] {
          std::this_thread::sleep_for(std::chrono::microseconds(below(d, 200)));
          ended = true;
        });
      });
      r.think(self, d);
    }
  });
}

}  // namespace stress
