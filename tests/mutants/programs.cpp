// Small programs as users write them, on real threads: spool_mutant_programs NAME. tests/mutants/run asks by them whether
// a mutant would be noticed in ordinary use. Each ends with 0 if it got what it should.
#include <spool/net/io_context.hpp>
#include <spool/spool.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <numeric>
#include <queue>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);
}

/// Two producers, two consumers.
void channel() {
  spool::run([] {
    spool::channel<int> numbers(16);
    spool::channel<long> sums;
    spool::wait_group producers;
    for (int p = 0; p < 2; ++p) {
      producers.go([=] {
        for (int i = 1; i <= 500; ++i) require(numbers.send(i), "send");
      });
    }
    for (int c = 0; c < 2; ++c) {
      spool::go([=] {
        long sum = 0;
        for (const int n : numbers) sum += n;
        require(sums.send(sum), "send of a sum");
      });
    }
    producers.wait();
    numbers.close();
    require(*sums.recv() + *sums.recv() == 2 * 500 * 501 / 2, "sum");
  });
}

/// Requests and answers without a buffer, each with a timeout that never comes.
void rendezvous() {
  spool::run([] {
    spool::channel<int> requests, answers;
    spool::go([=] {
      for (const int r : requests) require(answers.send(r + 1), "answer");
      answers.close();
    });
    for (int i = 0; i < 300; ++i) {
      require(requests.send_for(10s, i) == spool::channel_status::ok, "request");
      require(answers.recv_for(10s).value() == i + 1, "answer's value");
    }
    requests.close();
    require(!answers.recv(), "end");
  });
}

void select() {
  spool::run([] {
    spool::channel<int> left(4), right(4);
    for (const auto& side : {left, right}) {
      spool::go([=] {
        for (int i = 1; i <= 300; ++i) require(side.send(i), "send");
        side.close();
      });
    }
    long sum = 0;
    int open = 2;
    const auto add = [&](spool::channel<int>& from) {
      return [&](std::optional<int> v) {
        if (v) sum += *v;
        else from = nullptr, --open;
      };
    };
    while (open > 0) {
      spool::select(spool::on_recv(left, add(left)), spool::on_recv(right, add(right)),
                    spool::on_timeout(10s, [] { require(false, "timeout"); }));
    }
    require(sum == 2 * 300 * 301 / 2, "sum");
  });
}

void talk_with_threads() {
  spool::channel<int> numbers(4), doubled(4);
  std::thread producer([=] {
    for (int i = 1; i <= 100; ++i) require(numbers.send(i), "send");
    numbers.close();
  });
  std::atomic<long> sum{0};
  std::thread consumer([=, &sum] {
    for (const int n : doubled) sum += n;
  });
  for (const int n : numbers) require(doubled.send(2 * n), "send");
  doubled.close();
  spool::blocking([&] {
    producer.join();
    consumer.join();
  });
  require(sum == 100 * 101, "sum");
}

void threads() { spool::run(talk_with_threads); }

/// The same in a service, whose idle workers wait for sockets.
void network() {
  spool::run([] {
    (void)spool::io_context();
    talk_with_threads();
  });
}

void locks() {
  spool::run([] {
    spool::mutex m;
    spool::shared_mutex prices_lock;
    std::map<int, int> prices;
    long total = 0;
    spool::wait_group all;
    for (int f = 0; f < 4; ++f) {
      all.go([&, f] {
        for (int i = 0; i < 100; ++i) {
          {
            const std::lock_guard lock(m);
            ++total;
          }
          if (i % 10 == f) {
            const std::lock_guard lock(prices_lock);
            ++prices[i];
          } else {
            const std::shared_lock lock(prices_lock);
            (void)prices.contains(i);
          }
        }
      });
    }
    all.wait();
    require(total == 400 && prices.size() == 40, "counts");
  });
}

void condition() {
  spool::run([] {
    spool::mutex m;
    spool::condition_variable filled;
    std::queue<int> items;
    spool::wait_group all;
    long sum = 0;
    all.go([&] {
      for (int taken = 0; taken < 200; ++taken) {
        std::unique_lock lock(m);
        filled.wait(lock, [&] { return !items.empty(); });
        sum += items.front();
        items.pop();
      }
    });
    all.go([&] {
      for (int i = 1; i <= 200; ++i) {
        {
          const std::lock_guard lock(m);
          items.push(i);
        }
        filled.notify_one();
      }
    });
    all.wait();
    require(sum == 200 * 201 / 2, "sum");
  });
}

void semaphore() {
  spool::run([] {
    spool::semaphore places(3);
    std::atomic<int> inside{0};
    spool::wait_group all;
    for (int f = 0; f < 6; ++f) {
      all.go([&, f] {
        for (int i = 0; i < 20; ++i) {
          const int n = 1 + f % 2;
          if (places.acquire(spool::context::background(), n)) require(false, "acquire");
          require((inside += n) <= 3, "too many inside");
          spool::this_fiber::yield();
          inside -= n;
          places.release(n);
        }
      });
    }
    all.wait();
  });
}

/// Futures, awaited by one fiber each.
void futures() {
  spool::run([] {
    std::vector<spool::future<int>> squares;
    for (int i = 0; i < 100; ++i) {
      squares.push_back(spool::async([i] {
        spool::this_fiber::yield();
        return i * i;
      }));
    }
    long sum = 0;
    for (auto& s : squares) sum += s.get();
    require(sum == 328350, "sum");
  });
}

/// Many fibers that yield, some of which throw and catch.
void fibers() {
  spool::run([] {
    std::atomic<int> caught{0};
    spool::wait_group all;
    for (int f = 0; f < 300; ++f) {
      all.go([&] {
        for (int i = 0; i < 5; ++i) {
          try {
            throw std::runtime_error("as usual");
          } catch (const std::exception&) {
            ++caught;
          }
          spool::this_fiber::yield();
        }
      });
    }
    all.wait();
    require(caught == 1500, "caught");
  });
}

/// Fibers that compute, enough of them for every worker to steal.
void computing() {
  spool::run([] {
    std::atomic<long> sum{0};
    spool::wait_group all;
    for (int f = 0; f < 64; ++f) {
      all.go([&, f] {
        std::vector<long> v(2000);
        std::iota(v.begin(), v.end(), f);
        sum += std::accumulate(v.begin(), v.end(), 0L);
      });
    }
    all.wait();
    require(sum == 64 * (1999 * 2000 / 2) + 2000 * (63 * 64 / 2), "sum");
  });
}

/// A thread's own resource, used by fibers that are pinned to it.
void pinned() {
  spool::run([] {
    spool::wait_group all;
    for (int f = 0; f < 4; ++f) {
      all.go([] {
        const spool::this_fiber::pin here;
        const auto thread = std::this_thread::get_id();
        for (int i = 0; i < 10; ++i) {
          spool::this_fiber::yield();
          require(std::this_thread::get_id() == thread, "moved");
        }
      });
    }
    all.wait();
  });
}

/// A tree of contexts; workers end when it is cancelled.
void contexts() {
  spool::run([] {
    auto [ctx, cancel] = spool::with_timeout(spool::context::background(), 10s);
    spool::wait_group all;
    for (int f = 0; f < 8; ++f) {
      all.go([ctx = ctx] {
        auto [own, stop] = spool::with_cancel(ctx);
        if (!spool::this_fiber::sleep_for(own, 10s)) require(false, "slept to the end");
      });
    }
    spool::channel<int> never;
    all.go([ctx = ctx, never] { require(never.recv(ctx).error() == spool::errc::canceled, "error of recv"); });
    spool::this_fiber::yield();
    cancel();
    all.wait();
    require(ctx.err() == spool::errc::canceled, "error");
  });
}

void timers() {
  spool::run([] {
    spool::wait_group all;
    for (int f = 0; f < 40; ++f) {
      all.go([f] { spool::this_fiber::sleep_for(std::chrono::microseconds(f % 5 * 100)); });
    }
    spool::ticker ticks(200us);
    for (int i = 0; i < 3; ++i) require(ticks.c().recv().has_value(), "tick");
    spool::timer deadline(10s);
    require(deadline.stop(), "stop");
    all.wait();
  });
}

void group() {
  spool::run([] {
    spool::errgroup tasks;
    tasks.set_limit(4);
    std::atomic<int> ran{0};
    for (int i = 0; i < 20; ++i) {
      tasks.go([&, i]() -> spool::error {
        ++ran;
        spool::this_fiber::yield();
        return i == 10 ? spool::error(spool::errc::full) : spool::error();
      });
    }
    require(tasks.wait() == spool::errc::full, "error");
    require(ran == 20, "ran");
  });
}

void pool() {
  spool::run([] {
    spool::worker_pool jobs({.workers = 4, .queue_capacity = 8});
    std::vector<spool::future<int>> results;
    for (int i = 0; i < 100; ++i) results.push_back(jobs.submit([i] { return i; }));
    long sum = 0;
    for (auto& r : results) sum += r.get();
    require(sum == 4950, "sum");
    jobs.close();
    require(!jobs.drain(), "drain");
    require(jobs.stats().completed == 100, "completed");
  });
}

/// A thread that hands over many small jobs.
void pool_for_threads() {
  spool::runtime rt;
  spool::worker_pool jobs(rt, {.workers = 2, .queue_capacity = 32});
  std::atomic<int> done{0};
  for (int i = 0; i < 1000; ++i) require(jobs.post([&done] { ++done; }) == spool::channel_status::ok, "post");
  require(!jobs.drain() && done == 1000, "done");
}

void pipeline() {
  spool::run([] {
    spool::pipeline p{spool::context::background(), {.name = "etl"}};
    spool::receiver<int> in = p.source<int>({.capacity = 10}, [](const spool::context& ctx, spool::sender<int> out) -> spool::error {
      for (int i = 1; i <= 100; ++i) {
        if (const auto s = out.send(ctx, i); s != spool::channel_status::ok) return s;
      }
      return {};
    });
    spool::receiver<int> doubled =
        p.stage(in, {.workers = 4, .capacity = 10}, [](const spool::context&, int v) -> spool::result<int> { return 2 * v; });
    std::atomic<long> sum{0};
    p.sink(doubled, {.workers = 2}, [&](const spool::context&, int v) -> spool::error {
      sum += v;
      return {};
    });
    require(!p.wait(), "error");
    require(sum == 10100, "sum");
  });
}

/// A dependency that fails for a while, called through a breaker and a limiter.
void resilience() {
  spool::run([] {
    spool::circuit_breaker breaker({.failure_threshold = 3, .open_for = 500us});
    spool::rate_limiter limiter({.per_second = 100000, .burst = 10});
    int answered = 0, refused = 0;
    for (int i = 0; answered < 20; ++i) {
      if (limiter.acquire(spool::context::background())) require(false, "acquire");
      const spool::error e = breaker.call([i] { return i < 3 ? spool::error(spool::errc::full) : spool::error(); });
      if (!e) ++answered;
      refused += e == spool::errc::circuit_open;
    }
    require(refused > 0, "never open");
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, void (*)()> programs{
      {"channel", channel},     {"rendezvous", rendezvous}, {"select", select},       {"threads", threads},
      {"network", network},     {"locks", locks},           {"condition", condition}, {"semaphore", semaphore},
      {"futures", futures},     {"fibers", fibers},         {"computing", computing}, {"pinned", pinned},
      {"contexts", contexts},   {"timers", timers},         {"group", group},         {"pool", pool},
      {"pipeline", pipeline},   {"resilience", resilience}, {"pool_for_threads", pool_for_threads}};
  const auto found = argc == 2 ? programs.find(argv[1]) : programs.end();
  if (found == programs.end()) {
    std::fprintf(stderr, "usage: %s NAME\n", argv[0]);
    return 2;
  }
  found->second();
}
