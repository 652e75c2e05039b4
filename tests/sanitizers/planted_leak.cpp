// The last pointer to a block dies with a fiber's stack frame: planted_leak [mended]. LeakSanitizer must say so; mended
// (another fiber gets the pointer and frees the block), it must not.
#include "planted.hpp"

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const bool mended = argc > 1 && std::strcmp(argv[1], "mended") == 0;
  spool::runtime rt({.threads = 4});
  rt.run([&] {
    const spool_test::commotion others;
    spool::channel<int*> given;
    spool::go([given, mended] {
      int* volatile block = new int[100];
      spool_test::migrate();
      (void)given.send(mended ? block : nullptr);
    });
    delete[] *given.recv();
  });
  std::puts("done");
}
