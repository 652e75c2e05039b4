// Operations whose instructions `check` counts, each on one worker:
//
//   instruction_rows                 their names
//   instruction_rows --built         what it was compiled by; counts of different builds are not to be compared
//   instruction_rows ROW TIMES       runs the row's operation TIMES times its basic number, which it prints
#include <spool/spool.hpp>

#include <boost/version.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>

namespace {

using namespace std::chrono_literals;

template <class F>
void repeat(std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; ++i) f();
}

/// Messages from one fiber to another.
void stream(std::size_t capacity, std::int64_t n) {
  const spool::channel<int> ch(capacity);
  spool::go([=] { repeat(n, [&] { (void)ch.send(1); }); });
  repeat(n, [&] { (void)ch.recv(); });
}

void spawn_join(std::int64_t n) {
  repeat(n, [] {
    spool::wait_group group;
    group.go([] {});
    group.wait();
  });
}

void spawn_1000(std::int64_t n) {
  repeat(n / 1000, [] {
    spool::wait_group group;
    repeat(1000, [&] { group.go([] {}); });
    group.wait();
  });
}

void async_get(std::int64_t n) {
  repeat(n, [] { spool::async([] { return 42; }).get(); });
}

void yield_of_8(std::int64_t n) {
  spool::wait_group group;
  repeat(8, [&] { group.go([=] { repeat(n / 8, [] { spool::this_fiber::yield(); }); }); });
  group.wait();
}

void send_recv(std::int64_t n) {
  const spool::channel<int> ch(1);
  repeat(n, [&] {
    (void)ch.send(1);
    (void)ch.recv();
  });
}

void ping_pong(std::int64_t n) {
  const spool::channel<int> ping;
  const spool::channel<int> pong;
  spool::go([=] { repeat(n, [&] { (void)pong.send(*ping.recv()); }); });
  repeat(n, [&] {
    (void)ping.send(1);
    (void)pong.recv();
  });
}

void try_send_full(std::int64_t n) {
  const spool::channel<int> ch(1);
  (void)ch.send(1);
  repeat(n, [&] { (void)ch.try_send(1); });
}

void try_recv_empty(std::int64_t n) {
  const spool::channel<int> ch(1);
  repeat(n, [&] { (void)ch.try_recv(); });
}

void select_ready(std::int64_t n) {
  const spool::channel<int> a(1);
  const spool::channel<int> b(1);
  repeat(n, [&] {
    (void)a.send(1);
    spool::select(spool::on_recv(a), spool::on_recv(b));
  });
}

void select_waiting(std::int64_t n) {
  const spool::channel<int> a;
  const spool::channel<int> b;
  spool::go([=] { repeat(n, [&] { spool::select(spool::on_recv(a), spool::on_recv(b)); }); });
  repeat(n, [&] { (void)a.send(1); });
}

void select_otherwise(std::int64_t n) {
  const spool::channel<int> a;
  const spool::channel<int> b;
  repeat(n, [&] { spool::select(spool::on_recv(a), spool::on_recv(b), spool::otherwise()); });
}

void mutex_lock(std::int64_t n) {
  spool::mutex mutex;
  repeat(n, [&] { const std::lock_guard lock(mutex); });
}

void semaphore_acquire(std::int64_t n) {
  spool::semaphore semaphore(1);
  repeat(n, [&] {
    semaphore.acquire();
    semaphore.release();
  });
}

void context_derive_cancel(std::int64_t n) {
  const auto parent = spool::with_cancel(spool::context::background());
  repeat(n, [&] { spool::with_cancel(parent.ctx()).cancel(); });
}

void timer_arm_stop(std::int64_t n) {
  spool::timer timer(1h);
  repeat(n, [&] {
    timer.reset(1h);
    timer.stop();
  });
}

void pool_post(std::int64_t n) {
  spool::worker_pool pool({.workers = 1, .queue_capacity = 1000});
  repeat(n, [&] { (void)pool.post([] {}); });
}

void pool_submit_get(std::int64_t n) {
  spool::worker_pool pool({.workers = 1, .queue_capacity = 1000});
  repeat(n, [&] { pool.submit([] { return 42; }).get(); });
}

void errgroup_go_wait(std::int64_t n) {
  repeat(n, [] {
    spool::errgroup group;
    group.go([] {});
    (void)group.wait();
  });
}

struct row {
  std::string_view name;
  std::int64_t operations;  // enough for 5 to 20 million instructions
  void (*run)(std::int64_t operations);
};

constexpr auto rows = std::to_array<row>({
    {"spawn_join", 10'000, spawn_join},
    {"spawn_1000", 20'000, spawn_1000},
    {"async_get", 10'000, async_get},
    {"yield", 40'000, yield_of_8},
    {"send_recv", 50'000, send_recv},
    {"rendezvous", 20'000, [](std::int64_t n) { stream(0, n); }},
    {"stream_1", 20'000, [](std::int64_t n) { stream(1, n); }},
    {"stream_100", 50'000, [](std::int64_t n) { stream(100, n); }},
    {"stream_1000", 50'000, [](std::int64_t n) { stream(1000, n); }},
    {"ping_pong", 10'000, ping_pong},
    {"try_send_full", 400'000, try_send_full},
    {"try_recv_empty", 400'000, try_recv_empty},
    {"select_ready", 20'000, select_ready},
    {"select_waiting", 10'000, select_waiting},
    {"select_otherwise", 20'000, select_otherwise},
    {"mutex_lock", 200'000, mutex_lock},
    {"semaphore", 100'000, semaphore_acquire},
    {"context", 20'000, context_derive_cancel},
    {"timer", 20'000, timer_arm_stop},
    {"pool_post", 20'000, pool_post},
    {"pool_submit_get", 10'000, pool_submit_get},
    {"errgroup", 10'000, errgroup_go_wait},
});

void print_built() {
#ifdef __clang__
  std::printf("clang %d", __clang_major__);
#else
  std::printf("gcc %d", __GNUC__);
#endif
#ifdef __OPTIMIZE__
  std::printf(" optimized");
#endif
#ifndef NDEBUG
  std::printf(" with assertions");
#endif
  std::printf(", Boost %d.%d\n", BOOST_VERSION / 100'000, BOOST_VERSION / 100 % 1000);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view name = count > 1 ? arguments[1] : "";
  if (name == "--built") print_built();
  if (name == "--built") return 0;
  for (const row& r : rows) {
    if (count == 1) std::printf("%s\n", r.name.data());
    if (count != 3 || r.name != name) continue;
    std::printf("%lld\n", static_cast<long long>(r.operations));
    spool::runtime_options options;
    options.threads = 1;
    spool::runtime(options).run([&] { r.run(r.operations * std::atoll(arguments[2])); });
    return 0;
  }
  return count == 1 ? 0 : 1;
}
