// The capacity of a channel from one fiber to another:
//   message_ns  one message of a stream
#include "growth.hpp"

namespace {

constexpr std::int64_t messages = 2'000'000;

double message_ns(std::int64_t capacity) {
  const spool::channel<int> ch(static_cast<std::size_t>(capacity));
  const growth::stopwatch watch;
  spool::go([=] {
    for (std::int64_t i = 0; i < messages; ++i) (void)ch.send(1);
  });
  for (std::int64_t i = 0; i < messages; ++i) (void)ch.recv();
  return watch.ns_each(messages);
}

}  // namespace

int main(int count, char** arguments) {
  growth::sizes capacities{0};
  for (std::int64_t c = 1; c <= 65536; c *= 2) capacities.push_back(c);
  return growth::run(count, arguments, "growth_capacity", capacities, [](std::int64_t capacity) {
    return growth::metrics{{"message_ns", message_ns(capacity)}};
  });
}
