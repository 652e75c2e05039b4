// The same stages as a thread each, with a mutex and two condition variables between them.
#include <chrono>
#include <thread>

#include "../../support/bounded_queue.hpp"
#include "load.hpp"
#include "stages.hpp"

namespace {

using namespace orders;
using clock = std::chrono::steady_clock;

constexpr std::size_t capacity = 1024;

outcome offer(const schedule& load) {
  order_books books;
  feed published(load.orders);
  bench::bounded_queue<frame> frames(capacity);
  bench::bounded_queue<order> decoded(capacity);
  bench::bounded_queue<event> events(capacity);
  std::thread publisher([&] {
    while (auto e = events.pop()) published.publish(*e);
  });
  std::thread matcher([&] {
    while (auto o = decoded.pop()) books.match(*o, [&](const event& e) { events.push(e); });
    events.close();
  });
  std::thread decoder([&] {
    order next;
    while (auto bytes = frames.pop()) {
      if (decode(*bytes, next)) decoded.push(next);
    }
    decoded.close();
  });
  const auto start = published.start();
  order_source source;
  std::uint64_t now = 0;
  for (std::uint64_t k = 0; k < load.orders; ++k) {
    const std::uint64_t due = load.due_ns(k);
    while (now < due) {
      now = static_cast<std::uint64_t>((clock::now() - start).count());
      if (now < due && !load.spin) std::this_thread::yield();
    }
    frames.push(encode(source.make(k, due)));
  }
  frames.close();
  for (std::thread* t : {&decoder, &matcher, &publisher}) t->join();
  return judge(books, published, load);
}

}  // namespace

int main(int argc, char** argv) { return report(argc, argv, "std_thread", offer); }
