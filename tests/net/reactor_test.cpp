// The reactor in the idle path: who serves I/O when, and what else goes on beside it.
#include <spool/net/io_context.hpp>
#include <spool/net/use_fiber.hpp>

#include "connected_pair.hpp"

#include "../support/runtimes.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <sys/resource.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using spool::use_fiber;
using spool_test::connected_pair;

class Reactor : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(Reactor);

TEST(IoContext, NeedsARuntime) {
  EXPECT_THROW(spool::io_context(), std::logic_error);
}

TEST_P(Reactor, IsTheSameForAllFibersOfARuntimeAndDiffersBetweenRuntimes) {
  spool::runtime other({.threads = 1});
  run([&] {
    asio::io_context* mine = &spool::io_context();
    EXPECT_EQ(mine, &spool::io_context(*spool::runtime::current()));
    EXPECT_NE(mine, &spool::io_context(other));
    spool::wait_group group;
    group.go([&] { EXPECT_EQ(mine, &spool::io_context()); });
    group.wait();
  });
}

TEST_P(Reactor, ServesWhileEveryWorkerIsBusyWithReadyFibers) {
  run([] {
    connected_pair pair;
    std::atomic<bool> stop{false};
    spool::wait_group busy;
    for (std::size_t i = 0; i < 4 * GetParam(); ++i) {
      busy.go([&] {
        while (!stop) spool::this_fiber::yield();
      });
    }
    std::array<char, 1> buffer{};
    for (int i = 0; i < 20; ++i) {
      asio::async_write(pair.near, asio::buffer("x", 1), use_fiber);
      pair.far.async_read_some(asio::buffer(buffer), use_fiber);
    }
    stop = true;
    busy.wait();
  });
}

TEST_P(Reactor, HearsOfWorkFromPlainThreadsWhileItWaits) {
  run([] {
    asio::io_context& io = spool::io_context();
    for (int i = 0; i < 100; ++i) {
      spool::channel<int> ch(1);
      std::thread poster([&] { asio::post(io, [ch] { (void)ch.try_send(1); }); });
      EXPECT_EQ(ch.recv(), 1);
      std::thread sender([&] { (void)ch.send(2); });
      EXPECT_EQ(ch.recv(), 2);
      spool::blocking([&] {
        poster.join();
        sender.join();
      });
    }
  });
}

TEST_P(Reactor, TimersGoOnBesideIt) {
  run([] {
    connected_pair pair;
    std::array<char, 1> buffer{};
    spool::wait_group reader;
    reader.go([&] { pair.far.async_read_some(asio::buffer(buffer), use_fiber); });
    for (int i = 0; i < 20; ++i) {
      const auto began = std::chrono::steady_clock::now();
      spool::this_fiber::sleep_for(1ms);
      EXPECT_GE(std::chrono::steady_clock::now() - began, 1ms);
    }
    asio::async_write(pair.near, asio::buffer("x", 1), use_fiber);
    reader.wait();
  });
}

TEST_P(Reactor, AHandlerWithoutEndKeepsNobodyFromGoingOn) {
  run([] {
    asio::io_context& io = spool::io_context();
    std::atomic<bool> stop{false};
    struct again {
      asio::io_context& io;
      std::atomic<bool>& stop;
      void operator()() const {
        if (!stop) asio::post(io, *this);
      }
    };
    asio::post(io, again{io, stop});
    for (int i = 0; i < 5; ++i) spool::this_fiber::sleep_for(1ms);
    spool::wait_group others;
    for (int i = 0; i < 10; ++i) others.go([] { spool::this_fiber::yield(); });
    others.wait();
    stop = true;
    asio::post(io, use_fiber);
  });
}

TEST_P(Reactor, ServesWhileTurnsAreLong) {
  run([] {
    connected_pair pair;
    std::atomic<bool> stop{false};
    spool::wait_group busy;
    for (std::size_t i = 0; i < 2 * GetParam(); ++i) {
      busy.go([&] {
        while (!stop) {
          const auto until = std::chrono::steady_clock::now() + 2ms;
          while (std::chrono::steady_clock::now() < until) {}
          spool::this_fiber::yield();
        }
      });
    }
    std::array<char, 1> buffer{};
    for (int i = 0; i < 3; ++i) {
      asio::async_write(pair.near, asio::buffer("x", 1), use_fiber);
      pair.far.async_read_some(asio::buffer(buffer), use_fiber);
    }
    stop = true;
    busy.wait();
  });
}

TEST_P(Reactor, StopOnItsContextEndsNothing) {
  run([] {
    asio::steady_timer timer(spool::io_context(), 2ms);
    spool::io_context().stop();
    timer.async_wait(use_fiber);
  });
}

TEST_P(Reactor, HundredsOfConnectionsTalkAtOnce) {
  run([] {
    spool::wait_group group;
    std::atomic<int> echoed{0};
    for (int i = 0; i < 200; ++i) {
      group.go([&] {
        connected_pair pair;
        std::array<char, 1> buffer{};
        for (int k = 0; k < 10; ++k) {
          asio::async_write(pair.near, asio::buffer("x", 1), use_fiber);
          pair.far.async_read_some(asio::buffer(buffer), use_fiber);
          ++echoed;
        }
      });
    }
    group.wait();
    EXPECT_EQ(echoed, 2000);
  });
}

TEST_P(Reactor, UsesNoCpuWhileItWaits) {
  run([] {
    const auto cpu = [] {
      rusage usage{};
      ::getrusage(RUSAGE_SELF, &usage);
      const auto of = [](timeval t) { return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec); };
      return of(usage.ru_utime) + of(usage.ru_stime);
    };
    connected_pair pair;
    std::array<char, 1> buffer{};
    const auto scope = spool::with_timeout(spool::context::background(), 300ms);
    const auto before = cpu();
    boost::system::error_code ec;
    pair.far.async_read_some(asio::buffer(buffer), use_fiber(scope.ctx())[ec]);
    EXPECT_LT(cpu() - before, 100ms);  // CPU time, not time: a busy loop would have used all of it
  });
}

TEST_P(Reactor, ServiceWithItsOwnContextAndThreads) {
  asio::io_context service;
  auto guard = asio::make_work_guard(service);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back([&] { service.run(); });
  run([&] {
    spool::wait_group group;
    for (int i = 0; i < 20; ++i) {
      group.go([&] {
        asio::steady_timer timer(service, 1ms);
        timer.async_wait(use_fiber);
        const auto scope = spool::with_timeout(spool::context::background(), 2ms);
        asio::steady_timer endless(service, 1h);
        boost::system::error_code ec;
        endless.async_wait(use_fiber(scope.ctx())[ec]);
        EXPECT_EQ(ec, asio::error::operation_aborted);
      });
    }
    group.wait();
  });
  guard.reset();
  for (auto& t : threads) t.join();
}

TEST_P(Reactor, AServicesPlainThreadsWaitForOperationsToo) {
  asio::io_context service;
  auto guard = asio::make_work_guard(service);
  std::thread server([&] { service.run(); });
  asio::steady_timer timer(service, 1ms);
  timer.async_wait(use_fiber);
  const auto scope = spool::with_timeout(spool::context::background(), 2ms);
  asio::steady_timer endless(service, 1h);
  EXPECT_THROW(endless.async_wait(use_fiber(scope.ctx())), boost::system::system_error);
  guard.reset();
  server.join();
}

/// An operation of no I/O object: `begin` gets the handler.
template <class Signature, class Begin>
auto operation(Begin begin, spool::use_fiber_t token = use_fiber) {
  return asio::async_initiate<spool::use_fiber_t, Signature>(std::move(begin), token);
}

using boost::system::error_code;

TEST_P(Reactor, AnOperationWhoseHandlerIsDestroyedIsAborted) {
  run([] {
    spool::channel<std::shared_ptr<void>> begun(1);
    auto waiting = spool::async([&] {
      error_code ec;
      operation<void(error_code)>(
          [&](auto handler) { (void)begun.send(std::make_shared<decltype(handler)>(std::move(handler))); }, use_fiber[ec]);
      return ec;
    });
    begun.recv()->reset();
    EXPECT_EQ(waiting.get(), asio::error::operation_aborted);
  });
}

TEST_P(Reactor, AnInitiationThatThrowsLetsTheExceptionThrough) {
  run([] {
    EXPECT_THROW(operation<void(error_code)>([](auto) { throw std::runtime_error("no"); }), std::runtime_error);
    spool::this_fiber::sleep_for(1us);  // the fiber can wait again
  });
}

TEST_P(Reactor, ResultsOfEveryShape) {
  run([] {
    EXPECT_EQ(operation<void(int)>([](auto handler) { handler(1); }), 1);
    const auto two = operation<void(error_code, int, std::string)>([](auto handler) { handler(error_code(), 2, "two"); });
    EXPECT_EQ(two, std::make_tuple(2, std::string("two")));
    const auto owned = operation<void(std::exception_ptr, std::unique_ptr<int>)>(
        [](auto handler) { handler(std::exception_ptr(), std::make_unique<int>(3)); });
    EXPECT_EQ(*owned, 3);
    const auto fail = [](auto handler) { handler(std::make_exception_ptr(std::range_error("far"))); };
    EXPECT_THROW(operation<void(std::exception_ptr)>(fail), std::range_error);
  });
}

}  // namespace
