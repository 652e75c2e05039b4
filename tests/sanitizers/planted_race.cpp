// Two fibers on two workers write to one int: planted_race [mended]. ThreadSanitizer must say so; mended, by a mutex,
// it must not.
#include "planted.hpp"

#include <cstdio>
#include <cstring>
#include <mutex>

namespace {

int written = 0;

void write(spool::mutex* guard) {
  if (guard != nullptr) guard->lock();
  ++written;
  if (guard != nullptr) guard->unlock();
}

}  // namespace

int main(int argc, char** argv) {
  const bool mended = argc > 1 && std::strcmp(argv[1], "mended") == 0;
  constexpr int rounds = 20;
  spool::mutex guard;
  spool::runtime rt({.threads = 4});
  rt.run([&] {
    const spool_test::commotion others;
    for (int round = 0; round < rounds; ++round) {
      // Relaxed, so that meeting orders nothing; and without a yield, so that the two are on two threads.
      std::atomic<int> here{0};
      spool::wait_group both;
      for (int i = 0; i < 2; ++i) {
        both.go([&] {
          spool_test::migrate();
          here.fetch_add(1, std::memory_order_relaxed);
          while (here.load(std::memory_order_relaxed) < 2) {
          }
          write(mended ? &guard : nullptr);
        });
      }
      both.wait();
    }
  });
  std::printf("written %d times\n", written);
}
