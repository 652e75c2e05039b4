// The detector beside a reactor: blind to nothing while no operation is under way, silent while one is.
#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>

#include "../runtime/captured_log.hpp"
#include "../support/runtimes.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <memory>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

class ReactorDetector : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(ReactorDetector);

TEST_P(ReactorDetector, ProvesALeakThoughAReactorIsAttached) {
  const spool_test::captured_log log;
  const spool::channel<int> never;
  std::atomic<bool> resumed{false};
  run([&] {
    asio::steady_timer(spool::io_context(), 1ms).async_wait(spool::use_fiber);
    spool::go([&] {
      (void)never.recv();
      resumed = true;
    });
  });
  EXPECT_TRUE(log.has("leak (proven)")) << log.text();
  EXPECT_FALSE(resumed);
}

TEST_P(ReactorDetector, AHandlerThatIsStillToComeMayWakeAFiber) {
  const spool_test::captured_log log;
  run([] {
    // Nobody but Asio knows of the handler that will send.
    const spool::channel<int> ch(1);
    auto timer = std::make_shared<asio::steady_timer>(spool::io_context(), 50ms);
    timer->async_wait([ch, timer](const boost::system::error_code&) { (void)ch.try_send(1); });
    spool::go([ch] { EXPECT_EQ(ch.recv(), 1); });
  });
  EXPECT_EQ(log.text(), "");
}

}  // namespace
