// Locks alone: locked twice, never unlocked, locked in two orders, read locks around a waiting writer.
#include "kernel.hpp"

#include <array>
#include <shared_mutex>

namespace kernels {
namespace {

struct one_lock {
  mutex mu;
  shared_mutex rw;
  wait_group all;
  int state = 0;
};

struct two_locks {
  mutex a, b;
  latch both{2};
};

/// One fiber locks a, then b, the other b, then a. Fixed: both lock a first.
void opposite_orders(bool fixed) {
  auto s = std::make_shared<two_locks>();
  go([s, fixed] {
    const std::lock_guard first(s->a);
    if (!fixed) s->both.arrive_and_wait();
    const std::lock_guard second(s->b);
  });
  go([s, fixed] {
    const std::lock_guard first(fixed ? s->a : s->b);
    if (!fixed) s->both.arrive_and_wait();
    const std::lock_guard second(fixed ? s->b : s->a);
  });
}

/// A reader that reads again while a writer waits for it. Fixed: it reads once.
void read_around_a_writer(bool fixed) {
  auto s = std::make_shared<one_lock>();
  go([s, fixed] {
    const std::shared_lock outer(s->rw);
    settle();
    if (!fixed) const std::shared_lock inner(s->rw);
  });
  go([s] {
    this_fiber::sleep_for(5ms);
    const std::lock_guard write(s->rw);
  });
}

/// A function that holds the lock calls another that takes it. Fixed: the lock is released before the call.
void locked_twice(bool fixed) {
  auto s = std::make_shared<one_lock>();
  const auto report = [](one_lock& o) {
    const std::lock_guard lock(o.mu);
    ++o.state;
  };
  go([=] {
    std::unique_lock lock(s->mu);
    if (fixed) lock.unlock();
    report(*s);
  });
}

/// An early return keeps the lock; the next that wants it waits for ever. Fixed: every way out unlocks.
void kept_on_one_way_out(bool fixed) {
  auto s = std::make_shared<one_lock>();
  const auto look = [=] {
    s->mu.lock();
    if (s->state == 0) {
      if (fixed) s->mu.unlock();
      return;
    }
    s->mu.unlock();
  };
  go([=] {
    look();
    const std::lock_guard again(s->mu);
  });
}

const std::array all{
    kernel{"cockroach_584", "double locking",
           [](bool fixed) {
             // A loop breaks off, at its end, with the lock held; shutting down needs it.
             auto s = std::make_shared<one_lock>();
             go([=] {
               for (;;) {
                 s->mu.lock();
                 if (s->state == 1) {
                   if (fixed) s->mu.unlock();
                   break;
                 }
                 s->state = 1;
                 s->mu.unlock();
               }
               const std::lock_guard closing(s->mu);
             });
           }},
    kernel{"cockroach_9935", "double locking", locked_twice},
    kernel{"cockroach_16167", "double locking",
           [](bool fixed) {
             // Writing the configuration, a fiber reads it through a function with a lock of its own: the same one.
             auto s = std::make_shared<one_lock>();
             go([=] {
               std::unique_lock write(s->rw);
               if (fixed) write.unlock();
               const std::shared_lock read(s->rw);
             });
             go([=] { const std::lock_guard update(s->rw); });
           }},
    kernel{"etcd_5509", "double locking",
           [](bool fixed) {
             // Acquiring fails and returns with the read lock held; closing wants to write.
             auto s = std::make_shared<one_lock>();
             const auto acquire = [=] {
               s->rw.lock_shared();
               if (fixed) s->rw.unlock_shared();
               return false;
             };
             go([=] {
               (void)acquire();
               const std::lock_guard close(s->rw);
             });
           }},
    kernel{"etcd_6708", "double locking",
           [](bool fixed) {
             // Taking the leader's address locks for writing inside of a section that reads.
             auto s = std::make_shared<one_lock>();
             go([=] {
               std::shared_lock read(s->rw);
               if (fixed) read.unlock();
               const std::lock_guard write(s->rw);
             });
           }},
    kernel{"etcd_10492", "double locking",
           [](bool fixed) {
             // A checkpoint is a callback, called under the lessor's lock, that locks the lessor.
             auto s = std::make_shared<one_lock>();
             const std::function<void()> checkpoint = [=] { const std::lock_guard lock(s->mu); };
             go([=] {
               std::unique_lock renewing(s->mu);
               if (fixed) renewing.unlock();
               checkpoint();
             });
           }},
    kernel{"grpc_795", "double locking", kept_on_one_way_out},
    kernel{"grpc_3017", "double locking",
           [](bool fixed) {
             // A timer's function leaves with the lock when the connection was used again in time.
             auto s = std::make_shared<one_lock>();
             s->state = 1;
             s->all.add(1);
             const cancel_scope idle = with_timeout(context::background(), 1ms);
             const auto stop = after_func(idle.ctx(), [=] {
               s->mu.lock();
               const bool used_again = s->state == 1;
               if (!used_again || fixed) s->mu.unlock();
               s->all.done();
             });
             s->all.wait();
             go([=] { const std::lock_guard remove(s->mu); });
           }},
    kernel{"hugo_5379", "double locking", locked_twice},
    kernel{"moby_7559", "double locking",
           [](bool fixed) {
             // A loop over connections goes on to the next with the table's lock held.
             auto s = std::make_shared<one_lock>();
             go([=] {
               for (int i = 0; i < 2; ++i) {
                 s->mu.lock();
                 if (i == 0) {
                   if (fixed) s->mu.unlock();
                   continue;
                 }
                 s->mu.unlock();
               }
             });
           }},
    kernel{"moby_17176", "double locking", kept_on_one_way_out},
    kernel{"moby_36114", "double locking", locked_twice},
    kernel{"syncthing_4829", "double locking",
           [](bool fixed) {
             // Clearing the mapping calls its own observers, one of which reads under the same lock.
             auto s = std::make_shared<one_lock>();
             go([=] {
               std::unique_lock clearing(s->rw);
               s->state = 0;
               if (fixed) clearing.unlock();
               const std::shared_lock notify(s->rw);
             });
           }},
    kernel{"cockroach_7504", "AB-BA", opposite_orders},
    kernel{"cockroach_10214", "AB-BA", opposite_orders},
    kernel{"hugo_3251", "AB-BA",
           [](bool fixed) {
             // A lock per address, kept in a table: who deletes one locks the table inside of it, who gets one locks the
             // other way round.
             struct table {
               shared_mutex entries;
               mutex remote;
               latch both{2};
             };
             auto t = std::make_shared<table>();
             go([=] {
               const std::lock_guard entries(t->entries);
               if (!fixed) t->both.arrive_and_wait();
               const std::lock_guard remote(t->remote);
             });
             go([=] {
               std::unique_lock remote(t->remote);
               if (fixed)
                 remote.unlock();
               else
                 t->both.arrive_and_wait();
               const std::shared_lock entries(t->entries);
             });
           }},
    kernel{"kubernetes_13135", "AB-BA", opposite_orders},
    kernel{"kubernetes_30872", "AB-BA",
           [](bool fixed) {
             // Three parties: federation, controller, queue, each calls the next with its own lock held.
             struct ring {
               std::array<mutex, 3> mu;
               latch all{3};
             };
             auto r = std::make_shared<ring>();
             for (std::size_t i = 0; i < 3; ++i) {
               go([=] {
                 std::unique_lock mine(r->mu[i]);
                 if (fixed)
                   mine.unlock();
                 else
                   r->all.arrive_and_wait();
                 const std::lock_guard next(r->mu[(i + 1) % 3]);
               });
             }
           }},
    kernel{"moby_4951", "AB-BA",
           [](bool fixed) {
             // A device's lock is dropped for a while under the global one, and taken back, while others want both.
             auto s = std::make_shared<two_locks>();  // a: all devices, b: one device
             go([=] {
               std::unique_lock devices(s->a);
               std::unique_lock one(s->b);
               devices.unlock();
               if (!fixed) s->both.arrive_and_wait();
               if (fixed) one.unlock();
               devices.lock();
             });
             go([=] {
               std::unique_lock all_devices(s->a, std::defer_lock);
               if (!fixed) {
                 this_fiber::sleep_for(5ms);
                 all_devices.lock();
                 s->both.arrive_and_wait();
               } else {
                 all_devices.lock();
               }
               const std::lock_guard one(s->b);
             });
           }},
    kernel{"cockroach_3710", "RWR", read_around_a_writer},
    kernel{"cockroach_6181", "RWR",
           [](bool fixed) {
             // Printing a cache under its read lock calls the cache's own formatter, which reads again.
             auto s = std::make_shared<one_lock>();
             for (int i = 0; i < 2; ++i) {
               s->all.go([=] {
                 std::shared_lock read(s->rw);
                 settle();
                 if (fixed) read.unlock();
                 const std::shared_lock format(s->rw);
               });
             }
             s->all.go([=] {
               this_fiber::sleep_for(5ms);
               const std::lock_guard insert(s->rw);
             });
             s->all.wait();
           }},
    kernel{"kubernetes_58107", "RWR",
           [](bool fixed) {
             // A worker waits for its queue with the read lock held. A writer waits for the worker; the fiber that would
             // fill the queue reads, too, and waits behind the writer.
             struct controller {
               shared_mutex workers;
               mutex mu;
               condition_variable filled;
               bool any = false;
             };
             auto c = std::make_shared<controller>();
             go([=] {
               std::shared_lock reading(c->workers);
               if (fixed) reading.unlock();
               std::unique_lock lock(c->mu);
               c->filled.wait(lock, [&] { return c->any; });
             });
             settle();
             go([=] { const std::lock_guard sync(c->workers); });
             settle();
             go([=] {
               const std::shared_lock reading(c->workers);
               const std::lock_guard lock(c->mu);
               c->any = true;
               c->filled.notify_one();
             });
           }},
    kernel{"kubernetes_62464", "RWR", read_around_a_writer},
};

}  // namespace

std::span<const kernel> locks() { return all; }

}  // namespace kernels
