// Orders through three stages over channels: decode, match, publish; a generator that offers them at a fixed rate (open loop).
// A latency counts from the moment at which an order was due to the moment at which it was published.
#include <spool/spool.hpp>

#include <chrono>

#include "load.hpp"
#include "stages.hpp"

namespace {

using namespace orders;
using clock = std::chrono::steady_clock;

constexpr std::size_t capacity = 1024;

void generate(const schedule& load, clock::time_point start, spool::sender<frame> to) {
  order_source source;
  std::uint64_t now = 0;
  for (std::uint64_t k = 0; k < load.orders; ++k) {
    const std::uint64_t due = load.due_ns(k);
    while (now < due) {
      now = static_cast<std::uint64_t>((clock::now() - start).count());
      if (now < due && !load.spin) spool::this_fiber::yield();
    }
    if (!to.send(encode(source.make(k, due)))) return;
  }
}

void decode_all(spool::receiver<frame> from, spool::sender<order> to) {
  order next;
  for (const frame& bytes : from) {
    if (decode(bytes, next) && !to.send(next)) return;
  }
}

outcome offer(const schedule& load) {
  order_books books;
  feed published(load.orders);
  spool::wait_group stages;
  auto [frames_in, frames] = spool::make_channel<frame>(capacity);
  auto [orders_in, decoded] = spool::make_channel<order>(capacity);
  auto [events_in, events] = spool::make_channel<event>(capacity);
  stages.go([from = std::move(events), &published] {
    for (const event& e : from) published.publish(e);
  });
  stages.go([from = std::move(decoded), to = std::move(events_in), &books] {
    for (const order& o : from) {
      books.match(o, [&](const event& e) { (void)to.send(e); });
    }
  });
  stages.go(
      [from = std::move(frames), to = std::move(orders_in)]() mutable { decode_all(std::move(from), std::move(to)); });
  generate(load, published.start(), std::move(frames_in));
  stages.wait();
  return judge(books, published, load);
}

}  // namespace

int main(int argc, char** argv) {
  spool::runtime runtime({.threads = 2});
  return report(argc, argv, "spool", [&](const schedule& load) { return runtime.run([&] { return offer(load); }); });
}
