// A fiber that has changed its thread adds one to the largest int: planted_overflow [mended]. The sanitizer of undefined
// behaviour must say so; mended, in unsigned arithmetic, it must not.
#include "planted.hpp"

#include <climits>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const bool mended = argc > 1 && std::strcmp(argv[1], "mended") == 0;
  spool::runtime rt({.threads = 4});
  const int sum = rt.run([&] {
    const spool_test::commotion others;
    volatile int most = INT_MAX;
    spool_test::migrate();
    return mended ? static_cast<int>(static_cast<unsigned>(most) + 1U) : most + 1;
  });
  std::printf("%d\n", sum);
}
