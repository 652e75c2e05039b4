// A select that copies what it sends: the copy is user code, after which the fiber may be on another worker.
#include <spool/spool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace {

using namespace std::chrono_literals;
using spool::channel;
namespace detail = spool::detail;

struct restless {
  restless() = default;
  restless(const restless& other) : when_copied(other.when_copied) {
    if (when_copied) when_copied();
  }
  restless(restless&&) = default;
  restless& operator=(const restless&) = default;
  restless& operator=(restless&&) = default;
  std::function<void()> when_copied;
};

template <class T>
detail::bias_id bias_of(const channel<T>& ch) {
  return detail::handle_access::base(ch, "test")->lock().biased_towards();
}

/// Returns on another worker: fibers that compute keep the calling one's.
void leave_worker(spool::wait_group& computing) {
  const detail::bias_id home = detail::current_bias_id();
  auto left = std::make_shared<std::atomic<bool>>(false);
  while (detail::current_bias_id() == home) {
    computing.go([left] {
      const auto until = std::chrono::steady_clock::now() + 5ms;
      while (!*left && std::chrono::steady_clock::now() < until) {
      }
    });
    spool::this_fiber::yield();
  }
  *left = true;
}

TEST(SelectCopy, AFiberThatWasMovedByItDoesNotUseItsFormerWorkersBias) {
  spool::runtime({.threads = 2}).run([] {
    channel<restless> ch(1);
    for (int i = 0; i < 10'000'000 && bias_of(ch) != detail::current_bias_id(); ++i) {
      EXPECT_TRUE(ch.send(restless()));
      EXPECT_TRUE(ch.recv());
    }
    const detail::bias_id home = bias_of(ch);
    ASSERT_NE(home, 0u);
    ASSERT_EQ(home, detail::current_bias_id());

    spool::wait_group computing;
    restless value;
    value.when_copied = [&] { leave_worker(computing); };
    detail::bias_id after_send = home;
    select(on_send(ch, std::as_const(value), [&] { after_send = bias_of(ch); }));
    EXPECT_NE(after_send, home) << "locked as if by the worker that it had left";
    EXPECT_EQ(ch.size(), 1u);
    computing.wait();
  });
}

}  // namespace
