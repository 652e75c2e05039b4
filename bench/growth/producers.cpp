// Producers that send into one channel with one receiver, per message:
//   rendezvous_ns  the channel has no room: each producer waits for its turn
//   buffered_ns    it has room for 100
#include "growth.hpp"

namespace {

constexpr std::int64_t messages = 500'000;

double message_ns(std::size_t capacity, std::int64_t producers) {
  const spool::channel<int> ch(capacity);
  const std::int64_t each = messages / producers;
  spool::wait_group group;
  const growth::stopwatch watch;
  for (std::int64_t p = 0; p < producers; ++p) {
    group.go([=] {
      for (std::int64_t i = 0; i < each; ++i) (void)ch.send(1);
    });
  }
  for (std::int64_t left = each * producers; left > 0; --left) (void)ch.recv();
  const double ns = watch.ns_each(each * producers);
  group.wait();
  return ns;
}

}  // namespace

int main(int count, char** arguments) {
  return growth::run(count, arguments, "growth_producers", growth::one_two_five(1000), [](std::int64_t producers) {
    return growth::metrics{{"rendezvous_ns", message_ns(0, producers)}, {"buffered_ns", message_ns(100, producers)}};
  });
}
