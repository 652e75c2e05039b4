// Exceptions in flight belong to the fiber. Fails when built with SPOOL_WITHOUT_EH_SWITCH.
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

using namespace spool;
using namespace std::chrono_literals;

constexpr int fibers = spool_test::live_fibers(1000);

struct numbered {
  int number;
};

/// Some wait, another one for each fiber and round.
void wait_somehow(int n) {
  switch (n % 4) {
    case 0: this_fiber::yield(); break;
    case 1: this_fiber::sleep_for(std::chrono::microseconds(n % 50 + 1)); break;
    case 2: (void)async([] { this_fiber::yield(); return 1; }).get(); break;
    default: {
      channel<int> ch;
      go([ch] { (void)ch.send(1); });
      (void)ch.recv();
    }
  }
}

class ExceptionState : public spool_test::WithWorkers {
 protected:
  /// Runs `body(i)` on so many fibers at once, returns on how many it was true.
  template <class F>
  int count_true(F body) {
    std::atomic<int> right{0};
    run([&] {
      wait_group all;
      for (int i = 0; i < fibers; ++i) all.go([&, i] { right += body(i); });
      all.wait();
    });
    return right;
  }
};
SPOOL_INSTANTIATE_WORKERS(ExceptionState);

TEST_P(ExceptionState, RethrowAfterAWaitInACatchBlockThrowsTheOwnException) {
  EXPECT_EQ(count_true([](int i) {
              try {
                try {
                  throw numbered{i};
                } catch (...) {
                  wait_somehow(i);
                  throw;
                }
              } catch (const numbered& e) {
                return e.number == i;
              }
              return false;
            }),
            fibers);
}

TEST_P(ExceptionState, CurrentExceptionStaysOverAWait) {
  EXPECT_EQ(count_true([](int i) {
              try {
                throw std::runtime_error(std::to_string(i));
              } catch (...) {
                const std::exception_ptr before = std::current_exception();
                wait_somehow(i);
                return std::current_exception() == before;
              }
            }),
            fibers);
}

TEST_P(ExceptionState, NestedCatchBlocksUnwindInOrder) {
  EXPECT_EQ(count_true([](int i) {
              int seen = -1;
              try {
                throw numbered{i};
              } catch (const numbered&) {
                try {
                  wait_somehow(i);
                  throw numbered{i + 1};
                } catch (const numbered&) {
                  wait_somehow(i + 1);
                }
                wait_somehow(i + 2);
                try {
                  throw;
                } catch (const numbered& e) {
                  seen = e.number;
                }
              }
              return seen == i && std::current_exception() == nullptr;
            }),
            fibers);
}

struct waits_while_unwinding {
  int n;
  int& before;
  int& after;
  ~waits_while_unwinding() {
    before = std::uncaught_exceptions();
    wait_somehow(n);
    after = std::uncaught_exceptions();
  }
};

TEST_P(ExceptionState, ADestructorThatWaitsWhileUnwindingCountsTheSameExceptions) {
  EXPECT_EQ(count_true([](int i) {
              int before = -1, after = -1;
              try {
                const waits_while_unwinding w{i, before, after};
                if (i % 2 == 0) throw numbered{i};
              } catch (const numbered& e) {
                return e.number == i && before == 1 && after == 1 && std::uncaught_exceptions() == 0;
              }
              return i % 2 == 1 && before == 0 && after == 0 && std::uncaught_exceptions() == 0;
            }),
            fibers);
}

TEST_P(ExceptionState, AFiberThatStartsMeanwhileHasNoException) {
  run([] {
    try {
      throw numbered{1};
    } catch (...) {
      EXPECT_TRUE(async([] { return std::current_exception() == nullptr && std::uncaught_exceptions() == 0; }).get());
      EXPECT_NE(std::current_exception(), nullptr);
    }
  });
}

}  // namespace
