// Each scenario is run with its first call of a kind failing, then with its second, and so on, until it gets by without a
// failure. Every time it either succeeds or ends with an error that says what was lacking, the runtime is fit for more
// work, and nothing stays behind. A hang is the test's time limit.
#include "faults.hpp"

#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>
#include <spool/runtime/detail/node_memory.hpp>
#include <spool/spool.hpp>

#include <boost/asio/steady_timer.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct scenario {
  std::string_view name;
  void (*run)(spool::runtime&);  // on a fiber
};
void PrintTo(const scenario& s, std::ostream* out) { *out << s.name; }

void check(spool::error e) {
  if (e) e.rethrow();
}

void channels(spool::runtime&) {
  const spool::channel<std::string> rendezvous;
  const spool::channel<std::string> buffered(4);
  spool::errgroup group;
  group.go([&] {
    for (int i = 0; i < 20; ++i) {
      if (rendezvous.send(group.context(), std::string(40, 'x')) != spool::channel_status::ok) return;
    }
  });
  group.go([&] {
    for (int i = 0; i < 20; ++i) {
      auto got = rendezvous.recv(group.context());
      if (!got || buffered.send(group.context(), std::move(*got)) != spool::channel_status::ok) return;
    }
  });
  group.go([&] {
    for (int i = 0; i < 20; ++i) {
      bool stopped = false;
      spool::select(spool::on_recv(buffered), spool::on_done(group.context(), [&] { stopped = true; }),
                    spool::on_timeout(1h, [&] { stopped = true; }));
      if (stopped) return;
    }
  });
  check(group.wait());
}

void contexts(spool::runtime&) {
  const auto outer = spool::with_cancel(spool::context::background());
  const auto inner = spool::with_timeout(outer.ctx(), 1h);
  static const spool::context_key<std::string> key("key");
  const spool::context with = spool::with_value(inner.ctx(), key, std::string(40, 'v'));
  spool::latch called(1);
  auto stop = spool::after_func(with, [&] { called.count_down(); });
  outer.cancel();
  called.wait();
  if (!with.done()) throw std::logic_error("a child outlives its parent");
}

void locks(spool::runtime&) {
  spool::mutex mutex;
  spool::condition_variable changed;
  spool::semaphore permits(2);
  int turns = 0;
  spool::errgroup group;
  for (int i = 0; i < 8; ++i) {
    group.go([&] {
      permits.acquire();
      spool::this_fiber::yield();
      permits.release();
      const std::lock_guard lock(mutex);
      ++turns;
      changed.notify_all();
    });
  }
  check(group.wait());
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return turns == 8; });
}

void pool(spool::runtime&) {
  spool::worker_pool pool({.workers = 3, .queue_capacity = 2, .on_error = [](const spool::error&) {}});
  std::vector<spool::future<std::string>> futures;
  futures.reserve(10);
  for (int i = 0; i < 10; ++i) futures.push_back(pool.submit([i] { return std::string(40, 'r') + std::to_string(i); }));
  for (auto& f : futures) f.get();
  for (int i = 0; i < 10; ++i) {
    if (pool.post([] { spool::this_fiber::yield(); }) != spool::channel_status::ok) throw std::logic_error("refused");
  }
  check(pool.drain());
  const auto stats = pool.stats();
  if (stats.completed + stats.failed + stats.expired != stats.accepted) throw std::logic_error("a job is missing");
}

void pool_for_threads(spool::runtime&) {
  spool::worker_pool pool({.workers = 2, .queue_capacity = 16});
  spool::blocking([&] {
    for (int i = 0; i < 100; ++i) {
      if (pool.post([] {}) != spool::channel_status::ok) throw std::logic_error("refused");
    }
  });
  check(pool.drain());
  if (pool.stats().completed != 100) throw std::logic_error("a job is missing");
}

void pipelines(spool::runtime&) {
  int sum = 0;
  const auto scope = spool::with_cancel(spool::context::background());
  spool::pipeline p(scope.ctx(), {.name = "faults"});
  auto numbers = p.source<int>({.name = "count", .capacity = 4}, [](const spool::context& ctx, spool::sender<int> out) {
    for (int i = 1; i <= 20; ++i) {
      if (out.send(ctx, int{i}) != spool::channel_status::ok) break;
    }
    return spool::error();
  });
  auto squares = p.stage(numbers, {.name = "square", .workers = 3, .capacity = 4, .ordered = true},
                         [](const spool::context&, int i) { return i * i; });
  p.sink(squares, {.name = "sum"}, [&](const spool::context&, int i) {
    sum += i;
    return spool::error();
  });
  check(p.wait());
  if (sum != 2870) throw std::logic_error("an item is missing");
}

void helpers(spool::runtime&) {
  spool::errgroup group;
  for (int i = 0; i < 3; ++i) {
    group.go([] { return spool::blocking([] { return spool::error(); }); });
  }
  check(group.wait());
  if (spool::async([] { return 7; }).get() != 7) throw std::logic_error("wrong result");
}

void timers(spool::runtime&) {
  spool::timer timer(1ms);
  spool::ticker ticker(1ms);
  if (!timer.c().recv() || !ticker.c().recv()) throw std::logic_error("a timer's channel is closed");
  spool::errgroup group;
  for (int i = 0; i < 5; ++i) {
    group.go([] { spool::this_fiber::sleep_for(1ms); });
  }
  check(group.wait());
}

/// Fires, and is armed again, on the monitor's thread.
void late_timers(spool::runtime&) {
  spool::ticker ticker(1ms);
  const auto ticks = ticker.c();
  while (ticks.size() == 0) {  // keeps its worker from looking at its timers
  }
  if (!ticks.recv() || !ticks.recv()) throw std::logic_error("a ticker's channel is closed");
}

void sockets(spool::runtime&) {
  boost::asio::steady_timer timer(spool::io_context(), 1ms);
  timer.async_wait(spool::use_fiber);
}

constexpr scenario scenarios[] = {
    {"channels", channels}, {"contexts", contexts}, {"locks", locks},     {"pool", pool},
    {"pool_for_threads", pool_for_threads},
    {"pipeline", pipelines}, {"helpers", helpers},  {"timers", timers},   {"late_timers", late_timers},
    {"sockets", sockets},
};

/// What a lack of memory, threads or descriptors may end in.
bool is_clear(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const std::system_error& e) {
    return std::string_view(e.what()).size() > 5;
  } catch (const std::exception& e) {
    ADD_FAILURE() << e.what();
    return false;
  }
}

/// The whole life of a runtime.
std::exception_ptr live(const scenario& s) {
  try {
    spool::runtime runtime({.threads = 2, .blocking_threads = 8, .name = "faults"});
    std::exception_ptr failure;
    try {
      runtime.run([&] { s.run(runtime); });
    } catch (...) {
      failure = std::current_exception();
    }
    return failure;
  } catch (...) {
    return std::current_exception();
  }
}

class Faults : public testing::TestWithParam<std::tuple<scenario, faults::kind>> {};

TEST_P(Faults, EveryCallMayFail) {
  const auto& [s, kind] = GetParam();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(live(s), nullptr);  // caches fill up
  spool::detail::drop_free_nodes();
  const std::int64_t before = faults::live_allocations();
  std::int64_t most = 0;
  int failures = 0;
  for (std::int64_t n = 1;; ++n) {
    ASSERT_LT(n, 20'000);
    std::exception_ptr thrown;
    bool pending;
    {
      const faults::injection nth(kind, n);
      thrown = live(s);
      pending = nth.pending();
    }
    if (thrown) {
      ++failures;
      EXPECT_TRUE(is_clear(thrown)) << "at call " << n;
    }
    thrown = nullptr;
    spool::detail::drop_free_nodes();  // the next one needs memory again
    most = std::max(most, faults::live_allocations() - before);
    if (pending) break;
  }
  EXPECT_EQ(live(s), nullptr) << "it works again when nothing fails";
  spool::detail::drop_free_nodes();
  EXPECT_LE(faults::live_allocations() - before, 32) << "memory stays behind";
  RecordProperty("failures", failures);
  RecordProperty("most_left", static_cast<int>(most));
}

INSTANTIATE_TEST_SUITE_P(
    All, Faults,
    testing::Combine(testing::ValuesIn(scenarios),
                     testing::Values(faults::kind::allocation, faults::kind::mapping, faults::kind::protection,
                                     faults::kind::advice, faults::kind::event_fd, faults::kind::thread_creation)),
    [](const auto& instance) {
      return std::string(std::get<0>(instance.param).name) + "_" + std::string(faults::name_of(std::get<1>(instance.param)));
    });

}  // namespace
