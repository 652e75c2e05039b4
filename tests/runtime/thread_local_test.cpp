// Thread-locals across a wait: after each one spool must ask anew on which worker it runs.
//
// The disassembly is what fails when built with SPOOL_WITHOUT_TLS_BARRIER. In a statically linked x86-64 program the
// inlined access happens to survive (its address is relative to the thread register); in a shared library, or under another
// compiler, it would not, and by then no test of behaviour runs on the machine at hand. So the rule itself is tested:
// no function of spool but the accessor pair touches the variable.
#include "threads.hpp"

#include <support/runtimes.hpp>

#include <runtime/thread_state.hpp>

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class ThreadLocal : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ThreadLocal);

/// Keeps the workers at stealing from each other while it lives; to be made and destroyed by a fiber.
class commotion {
 public:
  commotion() {
    for (int i = 0; i < 16; ++i) {
      all_.go([this] {
        while (!stop_) {
          spool_test::compute_for(5us);
          this_fiber::yield();
        }
      });
    }
  }
  ~commotion() {
    stop_ = true;
    all_.wait();
  }

 private:
  std::atomic<bool> stop_{false};
  wait_group all_;
};

TEST_P(ThreadLocal, EveryWaitIsFollowedByTheRightWorker) {
  spool_test::migration_watch watch;
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  run([&] {
    const commotion others;
    runtime* const here = runtime::current();
    do {
      wait_group all;
      for (int i = 0; i < 32; ++i) {
        all.go([&] {
          spool_test::migration_watch::trail trail(watch);
          const fiber_id id = this_fiber::id();
          for (int k = 0; k < 20; ++k) {
            if (k % 3 == 0) {
              this_fiber::sleep_for(10us);
            } else {
              this_fiber::yield();
            }
            trail.look();
            // Each of these goes through the worker of the present thread.
            ASSERT_EQ(this_fiber::id(), id);
            ASSERT_EQ(runtime::current(), here);
            const this_fiber::pin stay;
            const auto thread = spool_test::thread_now();
            this_fiber::yield();
            ASSERT_EQ(spool_test::thread_now(), thread);
          }
        });
      }
      all.wait();
    } while (GetParam() > 1 && !watch.seen() && std::chrono::steady_clock::now() < give_up);
  });
  EXPECT_EQ(watch.seen(), GetParam() > 1) << "no fiber changed its thread, so nothing was shown";
}

TEST_P(ThreadLocal, APinAfterAMigrationHoldsTheNewThread) {
  run([&] {
    const commotion others;
    wait_group all;
    for (int i = 0; i < 16; ++i) {
      all.go([] {
        for (int k = 0; k < 50; ++k) {
          this_fiber::yield();  // may migrate
          const this_fiber::pin here;
          const auto thread = spool_test::thread_now();
          this_fiber::sleep_for(20us);
          ASSERT_EQ(spool_test::thread_now(), thread);
        }
      });
    }
    all.wait();
  });
}

/// The disassembly of what holds spool's code (this program, or libspool.so), by function.
std::map<std::string, std::string> disassembly() {
  Dl_info where{};
  ::dladdr(reinterpret_cast<const void*>(&spool::fiber_count), &where);
  const std::string command =
      "objdump -d -r -C --no-show-raw-insn '" + std::string(where.dli_fname) + "' 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  std::map<std::string, std::string> functions;
  std::string* body = nullptr;
  char* line = nullptr;
  std::size_t size = 0;
  while (pipe && ::getline(&line, &size, pipe.get()) > 0) {
    const std::string text(line);
    const auto name = text.find('<');
    if (text.find(">:") != std::string::npos && name != std::string::npos && text[0] != ' ') {
      body = &functions[text.substr(name + 1, text.rfind(">:") - name - 1)];
    } else if (body != nullptr) {
      *body += text;
    }
  }
  std::free(line);
  return functions;
}

/// How the instruction that stores to the variable spells its place; empty when it is not spelled as an offset.
std::string place_of_variable(const std::string& setter) {
  const auto at = setter.find("%fs:0xff");
  if (at != std::string::npos) return setter.substr(at + 4, setter.find_first_of(" ,\n", at) - at - 4);
  const auto immediate = setter.find("$0xff");
  if (immediate != std::string::npos) return setter.substr(immediate + 1, setter.find_first_of(" ,\n", immediate) - immediate - 1);
  return {};
}

TEST(ThreadLocalCode, OnlyTheAccessorsTouchTheVariable) {
#ifndef __x86_64__
  GTEST_SKIP() << "knows x86-64 only";
#endif
  if (std::system("objdump --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no objdump";
  if constexpr (spool_test::sanitized) GTEST_SKIP() << "instrumented code";
  const auto functions = disassembly();
  const auto setter = functions.find("spool::detail::set_current_worker(spool::detail::worker*)");
  ASSERT_NE(setter, functions.end()) << functions.size() << " functions seen";
  const std::string place = place_of_variable(setter->second);
  std::set<std::string> touching;
  for (const auto& [name, body] : functions) {
    if (name.rfind("spool::", 0) != 0) continue;
    const bool touches = place.empty() ? body.find("__tls_get_addr") != std::string::npos || body.find("@tlsdesc") != std::string::npos
                                       : body.find(place) != std::string::npos && body.find("%fs:") != std::string::npos;
    if (touches) touching.insert(name);
  }
  const std::set<std::string> accessors{setter->first, "spool::detail::current_worker()", "spool::detail::current_fiber()",
                                        "spool::detail::spend_budget()", "spool::detail::current_bias_id()"};
  EXPECT_EQ(touching, accessors) << "the variable is at " << place;
}

}  // namespace
