// Fibers that are stuck in a process of which nothing can be proven: they are suspected while the runtime works on.
#include "captured_log.hpp"

#include <support/runtimes.hpp>
#include <support/sanitized.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <ostream>
#include <string>
#include <thread>

namespace {

using namespace spool;
using namespace std::chrono_literals;

/// A channel that nobody but stuck fibers refers to: its address is kept in disguise, as memory is searched for it.
class hidden_channel {
 public:
  void hide(const channel<int>& ch) { disguised_ = ~reinterpret_cast<std::uintptr_t>(&ch); }
  void close() { reinterpret_cast<const channel<int>*>(~disguised_)->close(); }

 private:
  std::atomic<std::uintptr_t> disguised_{0};
};

struct deadlock {
  const char* name;
  /// Waits for what only a fiber could bring that waits for `never`.
  void (*play)(const channel<int>& never);
  friend std::ostream& operator<<(std::ostream& out, const deadlock& d) { return out << d.name; }
};

const deadlock deadlocks[] = {
    {"channel",
     [](const channel<int>& never) {
       const channel<int> answer;
       go([=] {
         (void)never.recv();
         (void)answer.send(1);
       });
       (void)answer.recv();
     }},
    {"select",
     [](const channel<int>& never) {
       const channel<int> left, right;
       go([=] {
         (void)never.recv();
         right.close();
       });
       select(on_recv(left), on_recv(right));
     }},
    {"wait_group",
     [](const channel<int>& never) {
       wait_group all;
       all.go([=] { (void)never.recv(); });
       all.wait();
     }},
    {"errgroup",
     [](const channel<int>& never) {
       errgroup all;
       all.go([=] { (void)never.recv(); });
       (void)all.wait();
     }},
    {"future", [](const channel<int>& never) { async([=] { return never.recv(); }).wait(); }},
    {"latch",
     [](const channel<int>& never) {
       latch done(1);
       go([&done, never] {
         (void)never.recv();
         done.count_down();
       });
       done.wait();
     }},
    {"mutex",
     [](const channel<int>& never) {
       mutex mu;
       latch locked(1);
       go([&, never] {
         const std::lock_guard lock(mu);
         locked.count_down();
         (void)never.recv();
       });
       locked.wait();
       const std::lock_guard lock(mu);
     }},
    {"semaphore",
     [](const channel<int>& never) {
       semaphore units(0);
       go([&units, never] {
         (void)never.recv();
         units.release();
       });
       units.acquire();
     }},
};

// ThreadSanitizer keeps the addresses of locks and atomics, which pass for references: there, not being found is no error.
class StuckFinder : public testing::TestWithParam<deadlock> {
 protected:
  /// Beside a thread that spool does not know, which forbids every proof: until something is logged, or for 5 s. Memory may
  /// have words that pass for references by chance; then it is played again, on another stack.
  static std::string report_of(void (*play)(const channel<int>& never)) {
    const spool_test::captured_log log;
    for (int i = 0; i < 10 && log.text().empty(); ++i) {
      runtime rt({.threads = 2});
      hidden_channel never;
      std::thread other([&] {
        rt.run([&] {
          const channel<int> ch;
          never.hide(ch);
          play_behind(i, play, ch);
        });
      });
      const auto give_up = std::chrono::steady_clock::now() + 5s;
      while (log.text().empty() && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(10ms);
      never.close();
      other.join();
    }
    return log.text();
  }

 private:
  /// Behind so many fibers, each of which waits for the next.
  static void play_behind(int fibers, void (*play)(const channel<int>& never), const channel<int>& never) {
    if (fibers == 0) return play(never);
    async([&] { play_behind(fibers - 1, play, never); }).wait();
  }
};
INSTANTIATE_TEST_SUITE_P(Waits, StuckFinder, testing::ValuesIn(deadlocks),
                         [](const auto& of) { return std::string(of.param.name); });

TEST_P(StuckFinder, ADeadlockIsSuspectedBesideAThreadThatMayAct) {
  const std::string log = report_of(GetParam().play);
  if (spool_test::thread_sanitized && log.empty()) return;
  EXPECT_NE(log.find("deadlock (suspected): nobody who could still act refers to what these"), std::string::npos) << log;
  EXPECT_NE(log.find("stuck_finder_test.cpp:"), std::string::npos) << log;
  EXPECT_NE(log.find("waits in channel recv"), std::string::npos) << log;
}

TEST(StuckFinderBesideOthers, ALeakIsSuspectedWhileTheRestGoesOn) {
  const spool_test::captured_log log;
  runtime rt({.threads = 2});
  hidden_channel never;
  rt.run([&] {
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    go([&never] {
      this_fiber::set_name("leaked");
      const channel<int> ch;
      never.hide(ch);
      (void)ch.recv();
    });
    while (log.text().empty() && std::chrono::steady_clock::now() < give_up) this_fiber::sleep_for(200ms);
    never.close();
  });
  if (spool_test::thread_sanitized && log.text().empty()) return;
  EXPECT_TRUE(log.has("leak (suspected): nobody who could still act refers to what these 1 fibers")) << log.text();
  EXPECT_TRUE(log.has("\"leaked\" started at")) << log.text();
}

TEST(StuckFinderBesideOthers, ADeadlockIsSuspectedThoughASignalMayCome) {
  const spool_test::captured_log log;
  runtime rt({.threads = 2});
  hidden_channel never;
  std::thread other([&] {
    rt.run([&] {
      const cancel_scope signals = notify_context(context::background(), {SIGUSR2});
      const channel<int> ch;
      never.hide(ch);
      (void)ch.recv();
    });
  });
  const auto give_up = std::chrono::steady_clock::now() + 30s;
  while (log.text().empty() && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(10ms);
  never.close();
  other.join();
  if (spool_test::thread_sanitized && log.text().empty()) return;
  EXPECT_TRUE(log.has("deadlock (suspected)")) << log.text();
}

TEST(StuckFinderBesideOthers, PolicyOffIsSilent) {
  const spool_test::captured_log log;
  runtime rt({.threads = 1, .on_deadlock = deadlock_policy::off});
  hidden_channel never;
  rt.run([&] {
    go([&never] {
      const channel<int> ch;
      never.hide(ch);
      (void)ch.recv();
    });
    this_fiber::sleep_for(4s);
    never.close();
  });
  EXPECT_EQ(log.text(), "");
}

}  // namespace
