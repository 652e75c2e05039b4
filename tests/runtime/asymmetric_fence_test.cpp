// What a kernel or a sandbox without membarrier makes of the scheduler: full fences, and the same results.
#include <spool/spool.hpp>

#include <spool/runtime/detail/asymmetric_fence.hpp>

#include <gtest/gtest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace {

using namespace spool;

/// From here on the process gets ENOSYS for it. False: seccomp is not to be had here.
bool take_membarrier_away() {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof steps / sizeof *steps, steps};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// Fibers that are stolen, wake each other and let workers fall asleep in between; 0 if every value arrived.
int play() {
  constexpr int rounds = 20;
  constexpr int pairs = 50;
  constexpr int values = 100;
  runtime rt({.threads = 4});
  std::atomic<int> sum{0};
  rt.run([&] {
    for (int round = 0; round < rounds; ++round) {
      wait_group all;
      for (int p = 0; p < pairs; ++p) {
        const channel<int> ch(static_cast<std::size_t>(p % 3));
        all.go([ch] {
          for (int i = 0; i < values; ++i) (void)ch.send(1);
          ch.close();
        });
        all.go([ch, &sum] {
          while (const auto one = ch.recv()) {
            sum += *one;
            if (sum % 16 == 0) this_fiber::yield();
          }
        });
      }
      all.wait();
      this_fiber::sleep_for(std::chrono::milliseconds(1));
    }
  });
  return sum == rounds * pairs * values ? EXIT_SUCCESS : EXIT_FAILURE;
}

TEST(AsymmetricFenceDeathTest, WithoutMembarrierBothSidesAreFull) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  constexpr int no_seccomp = 77;
  EXPECT_EXIT(
      {
        if (!take_membarrier_away()) std::exit(no_seccomp);
        if (detail::fences_are_asymmetric()) std::exit(EXIT_FAILURE);
        std::exit(play());
      },
      [](int status) {
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return code == EXIT_SUCCESS || code == no_seccomp;
      },
      "");
}

}  // namespace
