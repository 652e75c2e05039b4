// Which fibers wait on channels that nobody else can reach: found by a search of memory.
#include <runtime/leak_finder.hpp>

#include <support/runtimes.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <initializer_list>
#include <memory>
#include <thread>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class LeakFinder : public spool_test::WithWorkers {
 protected:
  /// On a thread of its own: what a search leaves on a stack looks like references.
  static std::vector<std::uint64_t> unreachable() {
    return blocking([] { return detail::find_unreachable().value_or(std::vector<std::uint64_t>()); });
  }
  static bool found(const std::atomic<std::uint64_t>& id) {
    const auto ids = unreachable();
    return std::find(ids.begin(), ids.end(), id.load()) != ids.end();
  }
  /// Whether of many fibers that `start` starts, one after another, some are found. Memory is full of words that look like
  /// references: a search that is on the safe side misses some, here, where stacks were used a hundred times, many.
  template <class F>
  static void expect_found(F start, std::initializer_list<std::atomic<std::uint64_t>*> ids) {
    for (int i = 0; i < 50; ++i) {
      aside(start);
      const auto unreachable_now = unreachable();
      const auto is_in = [&](const std::atomic<std::uint64_t>* id) {
        return std::find(unreachable_now.begin(), unreachable_now.end(), id->load()) != unreachable_now.end();
      };
      if (std::all_of(ids.begin(), ids.end(), is_in)) return;
    }
    ADD_FAILURE() << "found in none of 50 tries";
  }
  /// Starts fibers where `f` starts them: on a fiber of its own, whose stack is forgotten with what lay on it.
  template <class F>
  static void aside(F f) {
    async(std::move(f)).get();
    this_fiber::sleep_for(20ms);
  }
};
SPOOL_INSTANTIATE_WORKERS(LeakFinder);

std::atomic<std::uint64_t> stuck{0};

void receive(const channel<int>& ch) {
  stuck = this_fiber::id().value();
  (void)ch.recv();
}

TEST_P(LeakFinder, AReceiverWithTheOnlyHandleIsFound) {
  run([] {
    expect_found(
        [] {
          const channel<int> ch;
          go([ch] { receive(ch); });
        },
        {&stuck});
  });
}

TEST_P(LeakFinder, ASenderWithTheOnlyHandleIsFound) {
  run([] {
    expect_found(
        [] {
          const channel<int> ch;
          go([ch] {
            stuck = this_fiber::id().value();
            (void)ch.send(1);
          });
        },
        {&stuck});
  });
}

TEST_P(LeakFinder, AReceiverOnAChannelThatWasBusyIsFound) {
  run([] {
    expect_found(
        [] {
          const channel<int> ch(1);
          for (int i = 0; i < 2000; ++i) {  // its lock gets a bias
            EXPECT_TRUE(ch.send(i));
            EXPECT_TRUE(ch.recv());
          }
          go([ch] { receive(ch); });
        },
        {&stuck});
  });
}

TEST_P(LeakFinder, AClosureThatDoesNotFitItsNodeIsTheFibersOwn) {
  run([] {
    expect_found(
        [] {
          const channel<int> ch;
          std::array<std::uint64_t, 32> ballast{};
          go([ch, ballast] {
            receive(ch);
            EXPECT_EQ(ballast[0], 0u);
          });
        },
        {&stuck});
  });
}

TEST_P(LeakFinder, FibersThatHoldEachOthersChannelsAreFound) {
  static std::atomic<std::uint64_t> other;
  run([] {
    expect_found(
        [] {
          const channel<int> a, b;
          go([a, b] {
            receive(a);
            (void)b.send(1);
          });
          go([a, b] {
            other = this_fiber::id().value();
            (void)b.recv();
            (void)a.send(1);
          });
        },
        {&stuck, &other});
  });
}

TEST_P(LeakFinder, AHandleOnTheHeapKeepsAFiberLive) {
  run([] {
    std::unique_ptr<channel<int>> kept;
    aside([&] {
      const channel<int> ch;
      kept = std::make_unique<channel<int>>(ch);
      go([ch] { receive(ch); });
    });
    EXPECT_FALSE(found(stuck));
    kept->close();
  });
}

TEST_P(LeakFinder, AReferenceToAHandleOnItsStackKeepsAFiberLive) {
  run([] {
    aside([] {
      go([] {
        const channel<int> ch;
        go([&ch] {
          this_fiber::sleep_for(200ms);
          ch.close();
        });
        receive(ch);
      });
    });
    EXPECT_FALSE(found(stuck));
  });
}

TEST_P(LeakFinder, AFiberThatIsItselfUnreachableKeepsNoOtherLive) {
  static std::atomic<std::uint64_t> behind;
  run([] {
    expect_found(
        [] {
          const channel<int> ch, next;
          go([ch, next] {
            receive(ch);
            (void)next.send(1);
          });
          go([next] {
            behind = this_fiber::id().value();
            (void)next.recv();
          });
        },
        {&behind});
  });
}

TEST_P(LeakFinder, AFiberThatRunsOnKeepsThoseItHoldsChannelsOfLive) {
  run([] {
    aside([] {
      const channel<int> ch;
      go([ch] { receive(ch); });
      go([ch] {
        this_fiber::sleep_for(200ms);
        ch.close();
      });
    });
    EXPECT_FALSE(found(stuck));
  });
}

TEST_P(LeakFinder, ATimeLimitKeepsAFiberLive) {
  run([] {
    aside([] {
      const channel<int> ch;
      go([ch] {
        stuck = this_fiber::id().value();
        (void)ch.recv_for(200ms);
      });
    });
    EXPECT_FALSE(found(stuck));
  });
}

TEST_P(LeakFinder, AContextThatMayEndKeepsAFiberLive) {
  run([] {
    const cancel_scope scope = with_cancel(context::background());
    aside([ctx = scope.ctx()] {
      const channel<int> ch;
      go([ch, ctx] {
        stuck = this_fiber::id().value();
        (void)ch.recv(ctx);
      });
    });
    EXPECT_FALSE(found(stuck));
  });
}

TEST_P(LeakFinder, AHandleInAMessageKeepsAFiberLive) {
  run([] {
    const channel<channel<int>> mail(1);
    aside([=] {
      const channel<int> ch;
      EXPECT_TRUE(mail.send(ch));
      go([ch] { receive(ch); });
    });
    EXPECT_FALSE(found(stuck));
    mail.recv()->close();
  });
}

TEST_P(LeakFinder, AHandleOfAPlainThreadKeepsAFiberLive) {
  run([] {
    std::thread thread;
    std::atomic<bool> end{false};
    aside([&] {
      const channel<int> ch;
      thread = std::thread([ch, &end] {
        while (!end) std::this_thread::sleep_for(1ms);
        ch.close();
      });
      go([ch] { receive(ch); });
    });
    EXPECT_FALSE(found(stuck));
    end = true;
    thread.join();
  });
}

}  // namespace
