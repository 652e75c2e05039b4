// Whom a report names as holders of a shared_mutex.
#include "reported_fibers.hpp"

#include <runtime/wait_graph.hpp>

#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <string>
#include <vector>

namespace {

using namespace spool;
using namespace std::chrono_literals;

class SharedMutexReport : public spool_test::ReportedFibers {};
SPOOL_INSTANTIATE_WORKERS(SharedMutexReport);

/// Fibers that hold a lock until they are told to leave.
class Holders {
 public:
  explicit Holders(shared_mutex& mu) : mu_(mu) {}

  /// Returns once it has what `lock` takes.
  void start(const std::string& name, void (*lock)(shared_mutex&), void (*unlock)(shared_mutex&)) {
    held& h = *held_.emplace_back(std::make_unique<held>());
    all_.go([this, name, lock, unlock, &h] {
      this_fiber::set_name(name);
      lock(mu_);
      h.locked.count_down();
      h.go_on.wait();
      unlock(mu_);
      h.unlocked.count_down();
    });
    h.locked.wait();
  }
  void reader(const std::string& name) {
    start(name, [](shared_mutex& mu) { mu.lock_shared(); }, [](shared_mutex& mu) { mu.unlock_shared(); });
  }
  /// Returns once the one that was started as number i has unlocked.
  void leave(std::size_t i) {
    if (!held_[i]->go_on.try_wait()) held_[i]->go_on.count_down();
    held_[i]->unlocked.wait();
  }
  void leave_all() {
    for (std::size_t i = 0; i < held_.size(); ++i) leave(i);
    all_.wait();
  }

 private:
  struct held {
    latch locked{1}, go_on{1}, unlocked{1};
  };
  shared_mutex& mu_;
  std::vector<std::unique_ptr<held>> held_;
  wait_group all_;
};

/// Waits for it as a writer, and ends when it has it.
void start_writer(wait_group& all, shared_mutex& mu, const std::string& name) {
  all.go([&mu, name] {
    this_fiber::set_name(name);
    const std::lock_guard lock(mu);
  });
}
void start_reader(wait_group& all, shared_mutex& mu, const std::string& name) {
  all.go([&mu, name] {
    this_fiber::set_name(name);
    const std::shared_lock lock(mu);
  });
}

TEST_P(SharedMutexReport, NamesTheWriterThatLockedTheSharedMutex) {
  constexpr void (*forms[])(shared_mutex&) = {
      [](shared_mutex& mu) { mu.lock(); },
      [](shared_mutex& mu) { EXPECT_TRUE(mu.try_lock()); },
      [](shared_mutex& mu) { EXPECT_TRUE(mu.try_lock_for(1s)); },
      [](shared_mutex& mu) { EXPECT_FALSE(mu.lock(context::background())); },
  };
  run([&] {
    shared_mutex mu;
    for (const auto lock : forms) {
      Holders holders(mu);
      holders.start("holder", lock, [](shared_mutex& m) { m.unlock(); });
      wait_group all;
      start_writer(all, mu, "writer");
      start_reader(all, mu, "reader");
      const detail::fiber_info writer = waiting("writer"), reader = waiting("reader");
      EXPECT_STREQ(writer.waits_in, "shared_mutex");
      EXPECT_STREQ(reader.waits_in, "shared_mutex (shared)");
      const std::string holder = "fiber " + std::to_string(waiting("holder").id) + " \"holder\"";
      EXPECT_EQ(writer.holder, holder);
      EXPECT_EQ(reader.holder, holder);
      holders.leave_all();
      all.wait();
    }
  });
}

TEST_P(SharedMutexReport, NamesTheWriterToWhomASharedMutexWasHandedOver) {
  run([] {
    shared_mutex mu;
    latch locked(1), done(1);
    wait_group all;
    mu.lock();
    all.go([&] {
      this_fiber::set_name("heir");
      mu.lock();
      locked.count_down();
      done.wait();
      mu.unlock();
    });
    (void)waiting("heir");
    mu.unlock();
    locked.wait();
    start_writer(all, mu, "next");
    EXPECT_NE(waiting("next").holder.find("\"heir\""), std::string::npos) << waiting("next").holder;
    done.count_down();
    all.wait();
  });
}

TEST_P(SharedMutexReport, NamesTheReadersForWhomAWriterWaits) {
  constexpr void (*forms[])(shared_mutex&) = {
      [](shared_mutex& mu) { mu.lock_shared(); },
      [](shared_mutex& mu) { EXPECT_TRUE(mu.try_lock_shared()); },
      [](shared_mutex& mu) { EXPECT_TRUE(mu.try_lock_shared_for(1s)); },
      [](shared_mutex& mu) { EXPECT_FALSE(mu.lock_shared(context::background())); },
  };
  run([&] {
    shared_mutex mu;
    for (const auto lock : forms) {
      Holders holders(mu);
      holders.start("a", lock, [](shared_mutex& m) { m.unlock_shared(); });
      holders.reader("b");
      wait_group all;
      start_writer(all, mu, "writer");
      const std::string holder = waiting("writer").holder;
      EXPECT_EQ(holder.find("2 readers: fiber "), 0u) << holder;
      EXPECT_NE(holder.find("\"a\", fiber "), std::string::npos) << holder;
      EXPECT_NE(holder.find("\"b\""), std::string::npos) << holder;
      start_reader(all, mu, "behind");
      EXPECT_EQ(waiting("behind").holder, holder);
      holders.leave_all();
      all.wait();
    }
  });
}

TEST_P(SharedMutexReport, NamesTheReadersThatAWriterLetIn) {
  run([] {
    shared_mutex mu;
    mu.lock();
    latch locked(2), done(1);
    wait_group all;
    for (const char* name : {"a", "b"}) {
      all.go([&, name] {
        this_fiber::set_name(name);
        mu.lock_shared();
        locked.count_down();
        done.wait();
        mu.unlock_shared();
      });
      (void)waiting(name);
    }
    mu.unlock();
    locked.wait();
    start_writer(all, mu, "writer");
    const std::string holder = waiting("writer").holder;
    EXPECT_NE(holder.find("\"a\""), std::string::npos) << holder;
    EXPECT_NE(holder.find("\"b\""), std::string::npos) << holder;
    done.count_down();
    all.wait();
  });
}

TEST_P(SharedMutexReport, AReaderThatIsStuckIsNamedThoughOthersCameAndWent) {
  run([] {
    shared_mutex mu;
    Holders holders(mu);
    holders.reader("gone");
    holders.reader("stuck");
    holders.leave(0);
    for (int i = 0; i < 3; ++i) async([&] { const std::shared_lock lock(mu); }).get();
    wait_group all;
    start_writer(all, mu, "writer");
    const std::string holder = waiting("writer").holder;
    EXPECT_EQ(holder, "1 reader: fiber " + std::to_string(waiting("stuck").id) + " \"stuck\"");
    holders.leave_all();
    all.wait();
  });
}

TEST_P(SharedMutexReport, OfManyReadersSomeAreNamedAndAllAreCounted) {
  run([] {
    shared_mutex mu;
    Holders holders(mu);
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) holders.reader(name);
    wait_group all;
    start_writer(all, mu, "writer");
    const auto has = [](const std::string& part) { return waiting("writer").holder.find(part) != std::string::npos; };
    EXPECT_TRUE(has("6 readers: ") && has("\"a\"") && has("\"d\"") && has(", 2 unknown")) << waiting("writer").holder;
    EXPECT_FALSE(has("\"e\"") || has("\"f\"")) << waiting("writer").holder;
    holders.leave(1);  // "b"; its place stays empty: nobody new comes in
    EXPECT_TRUE(has("5 readers: ") && has("\"a\"") && has(", 2 unknown")) << waiting("writer").holder;
    holders.leave(4);
    holders.leave(0);
    EXPECT_TRUE(has("3 readers: ") && has("\"c\"") && has("\"d\"") && has(", 1 unknown")) << waiting("writer").holder;
    holders.leave(5);
    EXPECT_TRUE(has("2 readers: ") && has("\"c\"") && has("\"d\"")) << waiting("writer").holder;
    EXPECT_FALSE(has("unknown")) << waiting("writer").holder;
    holders.leave(3);
    EXPECT_TRUE(has("1 reader: ") && has("\"c\"")) << waiting("writer").holder;
    holders.leave_all();
    all.wait();
  });
}

TEST_P(SharedMutexReport, AReaderThatLeavesMakesPlaceForTheNextName) {
  run([] {
    shared_mutex mu;
    Holders holders(mu);
    for (const char* name : {"a", "b", "c", "d", "e"}) holders.reader(name);
    holders.leave(1);
    holders.reader("new");
    wait_group all;
    start_writer(all, mu, "writer");
    const std::string holder = waiting("writer").holder;
    EXPECT_EQ(holder.find("5 readers: "), 0u) << holder;
    EXPECT_NE(holder.find("\"new\""), std::string::npos) << holder;
    EXPECT_NE(holder.find(", 1 unknown"), std::string::npos) << holder;
    holders.leave_all();
    all.wait();
  });
}

TEST_P(SharedMutexReport, AReaderThatReadsAgainBehindAWriterWaitsForItself) {
  run([] {
    shared_mutex mu;
    mu.lock_shared();
    const auto scope = with_cancel(context::background());
    wait_group all;
    all.go([&] {
      this_fiber::set_name("twice");
      mu.lock_shared();
      start_writer(all, mu, "writer");
      (void)waiting("writer");
      EXPECT_EQ(mu.lock_shared(scope.ctx()), errc::canceled);
      mu.unlock_shared();
    });
    const std::string holder = waiting("twice").holder;
    EXPECT_NE(holder.find("2 readers: "), std::string::npos) << holder;
    EXPECT_NE(holder.find("itself"), std::string::npos) << holder;
    scope.cancel();
    mu.unlock_shared();
    all.wait();
  });
}

// Nobody is named who may have left.
TEST_P(SharedMutexReport, AReaderThatUnlocksForAnotherLeavesNoNames) {
  run([] {
    shared_mutex mu;
    Holders holders(mu);
    const auto lock = [](shared_mutex& m) { m.lock_shared(); };
    holders.start("unlocked by another", lock, [](shared_mutex&) {});
    holders.reader("stays");
    mu.unlock_shared();
    wait_group all;
    start_writer(all, mu, "writer");
    EXPECT_EQ(waiting("writer").holder, "1 reader: 1 unknown");
    holders.leave_all();
    all.wait();
  });
}

TEST_P(SharedMutexReport, ASharedMutexOfAPlainThreadHasNoFiberForAHolder) {
  shared_mutex mu;
  runtime rt(options());
  for (const bool shared : {false, true}) {
    // First by a fiber, which must not be taken for the holder any more.
    rt.run([&] { const std::lock_guard lock(mu); });
    shared ? mu.lock_shared() : mu.lock();
    rt.run([&] {
      wait_group all;
      start_writer(all, mu, "writer");
      const std::string holder = waiting("writer").holder;
      EXPECT_NE(holder.find(shared ? "1 reader: 1 unknown" : "plain thread"), std::string::npos) << holder;
      shared ? mu.unlock_shared() : mu.unlock();
      all.wait();
    });
  }
}

/// Memory that anything may be written over, for a lock that goes before its report is made.
template <class Lock>
struct place_for {
  alignas(Lock) unsigned char bytes[sizeof(Lock)];
  Lock& lock = *new (bytes) Lock;
  void destroy() {
    lock.~Lock();
    std::memset(bytes, 0x11, sizeof bytes);
  }
};

TEST_P(SharedMutexReport, NobodyIsSaidToHoldALockThatIsGone) {
  run([] {
    place_for<shared_mutex> place;
    place.lock.lock();
    wait_group all;
    start_writer(all, place.lock, "writer");
    start_reader(all, place.lock, "reader");
    std::vector<detail::fiber_info> seen{waiting("writer"), waiting("reader")};
    place.lock.unlock();
    all.wait();
    place.destroy();
    for (detail::fiber_info& f : seen) f.holder.clear();
    detail::name_holders(seen);
    EXPECT_EQ(seen[0].holder, "");
    EXPECT_EQ(seen[1].holder, "");
  });
}

}  // namespace
