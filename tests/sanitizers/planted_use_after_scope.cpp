// A fiber reads a variable on another's stack whose scope has ended: planted_use_after_scope [mended]. Both have
// changed their threads meanwhile. AddressSanitizer must say so; mended, the scope ends after the read, it must not.
#include "planted.hpp"

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const bool mended = argc > 1 && std::strcmp(argv[1], "mended") == 0;
  spool::channel<volatile int*> lent;
  spool::latch ended(1), read(1);
  spool::runtime rt({.threads = 4});
  const int seen = rt.run([&] {
    const spool_test::commotion others;
    spool::go([&] {
      {
        volatile int local = 42;
        (void)lent.send(&local);
        spool_test::migrate();
        if (mended) read.wait();
      }
      ended.count_down();
      read.wait();
    });
    volatile int* const borrowed = *lent.recv();
    spool_test::migrate();
    if (!mended) ended.wait();
    const int value = *borrowed;
    read.count_down();
    return value;
  });
  std::printf("read %d\n", seen);
}
