// Cases of a select, per select:
//   all_ready_ns  every channel has a value; a send replaces what was taken
//   one_ready_ns  one channel has a value, each in turn; with the send that put it there
//   waiting_ns    none is ready: it waits in all queues, is woken by a send, and leaves them
#include "growth.hpp"

namespace {

constexpr std::size_t operations = 200'000;

struct cases {
  cases(std::int64_t count, std::size_t capacity) {
    for (std::int64_t i = 0; i < count; ++i) {
      channels.emplace_back(capacity);
      all.push_back(spool::on_recv(channels.back()));
    }
  }
  std::vector<spool::channel<int>> channels;
  std::vector<spool::select_case> all;
};

double ready_ns(std::int64_t count, bool every) {
  cases c(count, 1);
  if (every) {
    for (const auto& ch : c.channels) (void)ch.send(1);
  }
  std::size_t chosen = 0;
  const growth::stopwatch watch;
  for (std::size_t i = 0; i < operations; ++i) {
    if (!every) (void)c.channels[i % c.channels.size()].send(1);
    chosen = spool::select(c.all);
    if (every) (void)c.channels[chosen].send(1);
  }
  return watch.ns_each(operations);
}

double waiting_ns(std::int64_t count) {
  cases c(count, 0);
  spool::wait_group group;
  const growth::stopwatch watch;
  group.go([&] {
    for (std::size_t i = 0; i < operations; ++i) spool::select(c.all);
  });
  for (std::size_t i = 0; i < operations; ++i) (void)c.channels[i % c.channels.size()].send(1);
  group.wait();
  return watch.ns_each(operations);
}

}  // namespace

int main(int count, char** arguments) {
  return growth::run(count, arguments, "growth_select", {2, 3, 4, 6, 8, 12, 16, 17, 20, 24, 32, 48, 64},
                     [](std::int64_t size) {
                       return growth::metrics{{"all_ready_ns", ready_ns(size, true)},
                                              {"one_ready_ns", ready_ns(size, false)},
                                              {"waiting_ns", waiting_ns(size)}};
                     });
}
