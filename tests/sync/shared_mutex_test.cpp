#include <spool/sync/shared_mutex.hpp>

#include "../support/runtimes.hpp"

#include <spool/context/cancel_scope.hpp>
#include <spool/sync/future.hpp>
#include <spool/sync/latch.hpp>
#include <spool/sync/wait_group.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using spool::async;
using spool::context;
using spool_test::wait_until;

class SharedMutex : public spool_test::WithWorkers {};
SPOOL_INSTANTIATE_WORKERS(SharedMutex);

TEST_P(SharedMutex, ReadersShare) {
  run([] {
    spool::shared_mutex m;
    spool::latch all_in(5);
    spool::wait_group readers;
    for (int i = 0; i < 5; ++i) {
      readers.go([&] {
        const std::shared_lock lock(m);
        all_in.arrive_and_wait();  // returns only if all five hold it at a time
      });
    }
    readers.wait();
  });
}

TEST_P(SharedMutex, WriterExcludesReadersAndWriters) {
  spool::shared_mutex m;
  std::atomic<int> readers{0};
  std::atomic<int> writers{0};
  long value = 0;
  run([&] {
    spool::wait_group all;
    for (int f = 0; f < 12; ++f) {
      all.go([&, f] {
        for (int i = 0; i < 200; ++i) {
          if (f % 3 == 0) {
            const std::unique_lock lock(m);
            EXPECT_EQ(++writers, 1);
            EXPECT_EQ(readers, 0);
            ++value;
            if (i % 16 == 0) spool::this_fiber::yield();
            --writers;
          } else {
            const std::shared_lock lock(m);
            ++readers;
            EXPECT_EQ(writers, 0);
            if (i % 16 == 0) spool::this_fiber::yield();
            --readers;
          }
        }
      });
    }
    all.wait();
  });
  EXPECT_EQ(value, 800);
}

TEST_P(SharedMutex, TryFormsFollowTheHolders) {
  run([] {
    spool::shared_mutex m;
    EXPECT_TRUE(m.try_lock_shared());
    EXPECT_TRUE(m.try_lock_shared());
    EXPECT_FALSE(m.try_lock());
    m.unlock_shared();
    m.unlock_shared();
    EXPECT_TRUE(m.try_lock());
    EXPECT_FALSE(m.try_lock_shared());
    EXPECT_FALSE(m.try_lock());
    m.unlock();
  });
}

TEST(SharedMutexMisuse, UnlockOfWhatIsNotHeldThrows) {
  spool::shared_mutex m;
  EXPECT_THROW(m.unlock(), std::logic_error);
  EXPECT_THROW(m.unlock_shared(), std::logic_error);
  m.lock();
  EXPECT_THROW(m.unlock_shared(), std::logic_error);
  m.unlock();
  m.lock_shared();
  EXPECT_THROW(m.unlock(), std::logic_error);
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST(SharedMutexOrder, WaitingWriterKeepsNewReadersOut) {
  std::string order;
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    spool::shared_mutex m;
    m.lock_shared();
    spool::wait_group all;
    all.go([&] {
      const std::unique_lock lock(m);
      order += 'w';
    });
    spool::this_fiber::yield();  // one worker: the writer waits by now
    EXPECT_FALSE(m.try_lock_shared());
    all.go([&] {
      const std::shared_lock lock(m);
      order += 'r';
    });
    spool::this_fiber::yield();
    m.unlock_shared();
    all.wait();
  });
  EXPECT_EQ(order, "wr");
}

TEST(SharedMutexOrder, ReadersThatWaitedGoBeforeTheNextWriter) {
  std::string order;
  spool::runtime rt({.threads = 1});
  rt.run([&] {
    spool::shared_mutex m;
    m.lock();
    spool::wait_group all;
    auto start = [&](char what) {
      all.go([&, what] {
        if (what == 'w') {
          const std::unique_lock lock(m);
          order += what;
        } else {
          const std::shared_lock lock(m);
          order += what;
        }
      });
      spool::this_fiber::yield();
    };
    start('w');
    start('r');
    start('r');
    m.unlock();
    all.wait();
  });
  EXPECT_EQ(order, "rrw");
}

TEST_P(SharedMutex, WriterGetsThroughAStreamOfReaders) {
  run([] {
    spool::shared_mutex m;
    std::atomic<bool> stop{false};
    spool::wait_group readers;
    for (int r = 0; r < 4; ++r) {
      readers.go([&] {
        while (!stop) {
          const std::shared_lock lock(m);
          spool::this_fiber::yield();
        }
      });
    }
    for (int i = 0; i < 20; ++i) {
      const std::unique_lock lock(m);
    }
    stop = true;
    readers.wait();
  });
}

TEST_P(SharedMutex, ReaderGetsThroughAStreamOfWriters) {
  run([] {
    spool::shared_mutex m;
    std::atomic<bool> stop{false};
    spool::wait_group writers;
    for (int w = 0; w < 4; ++w) {
      writers.go([&] {
        while (!stop) {
          const std::unique_lock lock(m);
          spool::this_fiber::yield();
        }
      });
    }
    for (int i = 0; i < 20; ++i) {
      const std::shared_lock lock(m);
    }
    stop = true;
    writers.wait();
  });
}

TEST_P(SharedMutex, WriterThatGivesUpLetsTheReadersBehindItIn) {
  run([] {
    spool::shared_mutex m;
    m.lock_shared();
    auto scope = spool::with_cancel(context::background());
    std::atomic<bool> reader_in{false};
    auto writer = async([&] { return m.lock(scope.ctx()); });
    wait_until([&] {  // the writer waits once readers are refused
      if (!m.try_lock_shared()) return true;
      m.unlock_shared();
      return false;
    });
    auto reader = async([&] {
      m.lock_shared();
      reader_in = true;
      m.unlock_shared();
    });
    scope.cancel();
    EXPECT_EQ(writer.get(), spool::errc::canceled);
    reader.get();
    EXPECT_TRUE(reader_in);
    m.unlock_shared();
    EXPECT_TRUE(m.try_lock());
    m.unlock();
  });
}

TEST_P(SharedMutex, TimedFormsGiveUp) {
  run([] {
    spool::shared_mutex m;
    m.lock_shared();
    EXPECT_FALSE(m.try_lock_for(1ms));
    EXPECT_FALSE(m.try_lock_until(std::chrono::steady_clock::now() + 1ms));
    m.unlock_shared();
    m.lock();
    EXPECT_FALSE(m.try_lock_shared_for(1ms));
    EXPECT_FALSE(m.try_lock_shared_until(std::chrono::steady_clock::now() + 1ms));
    m.unlock();
    EXPECT_TRUE(m.try_lock_for(1ms));
    m.unlock();
    EXPECT_TRUE(m.try_lock_shared_for(1ms));
    m.unlock_shared();
  });
}

TEST_P(SharedMutex, ContextEndsWaitsAndWinsWhenDone) {
  run([] {
    spool::shared_mutex m;
    auto late = spool::with_timeout(context::background(), 1ms);
    m.lock();
    EXPECT_EQ(m.lock_shared(late.ctx()), spool::errc::deadline_exceeded);
    m.unlock();
    EXPECT_EQ(m.lock_shared(late.ctx()), spool::errc::deadline_exceeded);
    EXPECT_EQ(m.lock(late.ctx()), spool::errc::deadline_exceeded);
    EXPECT_FALSE(m.lock(context::background()));
    m.unlock();
    EXPECT_FALSE(m.lock_shared(context::background()));
    m.unlock_shared();
  });
}

TEST_P(SharedMutex, MayBeDestroyedByTheLastOneWhoLockedIt) {
  run([] {
    for (int i = 0; i < 2000; ++i) {
      auto* m = new spool::shared_mutex;
      const bool reader = i % 2 == 0;
      reader ? m->lock() : m->lock_shared();
      auto last = async([m, reader] {
        reader ? m->lock_shared() : m->lock();
        reader ? m->unlock_shared() : m->unlock();
        delete m;
      });
      if (i % 3 == 0) spool::this_fiber::yield();
      reader ? m->unlock() : m->unlock_shared();
      last.get();
    }
  });
}

TEST(SharedMutexOnThreads, ReadersAndWritersKeepTheValueWhole) {
  spool::shared_mutex m;
  int a = 0;
  int b = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        if (t == 0) {
          const std::unique_lock lock(m);
          ++a;
          ++b;
        } else {
          const std::shared_lock lock(m);
          EXPECT_EQ(a, b);
        }
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(a, 1000);
}

}  // namespace
