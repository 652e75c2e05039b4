// A lock is held over a wait for somebody who needs the lock; counts that do not come to zero.
#include "kernel.hpp"

#include <array>
#include <vector>

namespace kernels {
namespace {

struct shared {
  mutex mu;
  channel<int> ch;
  channel<int> other;
  wait_group all;
  int n = 0;
};

/// A sender holds the lock that the receiver wants before it receives. Fixed: it sends without the lock.
void send_under_the_receivers_lock(bool fixed) {
  auto s = std::make_shared<shared>();
  go([=] {
    std::unique_lock lock(s->mu);
    if (fixed) lock.unlock();
    (void)s->ch.send(1);
  });
  go([=] {
    settle();
    const std::lock_guard lock(s->mu);
    (void)s->ch.recv();
  });
}

const std::array all{
    kernel{"cockroach_1055", "channel & wait group",
           [](bool fixed) {
             // Stopping waits, with the lock held, for tasks that want the lock before they look whether to stop.
             auto s = std::make_shared<shared>();
             for (int i = 0; i < 3; ++i) {
               s->all.go([=] {
                 settle();
                 const std::lock_guard lock(s->mu);
                 ++s->n;
               });
             }
             go([=] {
               std::unique_lock lock(s->mu);
               if (fixed) lock.unlock();
               s->all.wait();
             });
           }},
    kernel{"cockroach_1462", "channel & wait group",
           [](bool fixed) {
             // A worker sends to a loop that the stopper has ended already, and the stopper waits for the worker.
             auto s = std::make_shared<shared>();
             s->all.go([=] {
               settle();
               if (fixed)
                 select(on_send(s->ch, 1), on_recv(s->other));
               else
                 (void)s->ch.send(1);
             });
             s->other.close();
             s->all.wait();
           }},
    kernel{"etcd_6873", "channel & lock",
           [](bool fixed) {
             // Stopping holds the lock until the loop has ended; the loop wants it for its last update.
             auto s = std::make_shared<shared>();
             go([=] {
               (void)s->ch.recv();
               {
                 settle();
                 const std::lock_guard coalesce(s->mu);
               }
               s->other.close();
             });
             (void)s->ch.send(1);
             go([=] {
               std::unique_lock stopping(s->mu);
               if (fixed) stopping.unlock();
               (void)s->other.recv();
             });
           }},
    kernel{"etcd_7443", "channel & lock",
           [](bool fixed) {
             // The balancer tells of a change with its lock held; who listens has ended, and closing wants the lock.
             auto s = std::make_shared<shared>();
             go([=] {
               std::unique_lock lock(s->mu);
               if (fixed)
                 select(on_send(s->ch, 1), on_recv(s->other));
               else
                 (void)s->ch.send(1);
             });
             settle();
             go([=] {
               if (fixed) s->other.close();
               const std::lock_guard closing(s->mu);
               s->other.close();
             });
           }},
    kernel{"etcd_7492", "channel & lock",
           [](bool fixed) {
             // Who assigns a token sends it with the lock held to a keeper that, its tick having come, deletes old tokens
             // under the same lock.
             auto s = std::make_shared<shared>();
             go([=] {
               settle();
               { const std::lock_guard delete_old(s->mu); }
               (void)s->ch.recv();
             });
             s->all.go([=] {
               std::unique_lock assign(s->mu);
               if (fixed) assign.unlock();
               (void)s->ch.send(1);
             });
             s->all.wait();
           }},
    kernel{"etcd_7902", "channel & lock",
           [](bool fixed) {
             // A follower awaits the leader's word with the lock that the leader needs to give it.
             auto s = std::make_shared<shared>();
             s->all.go([=] {
               std::unique_lock lock(s->mu);
               if (fixed) lock.unlock();
               (void)s->ch.recv();
             });
             s->all.go([=] {
               settle();
               const std::lock_guard lock(s->mu);
               s->ch.close();
             });
             s->all.wait();
           }},
    kernel{"grpc_1353", "channel & lock", send_under_the_receivers_lock},
    kernel{"grpc_1460", "channel & lock",
           [](bool fixed) {
             // Keep-alive sleeps with the transport's lock until a new stream wakes it, which needs the lock.
             auto s = std::make_shared<shared>();
             go([=] {
               std::unique_lock lock(s->mu);
               if (fixed) lock.unlock();
               (void)s->ch.recv();
             });
             go([=] {
               settle();
               const std::lock_guard lock(s->mu);
               s->ch.close();
             });
           }},
    kernel{"istio_16224", "channel & lock",
           [](bool fixed) {
             // An event is sent with the registry's lock held to a handler that begins by locking the registry.
             auto s = std::make_shared<shared>();
             go([=] {
               settle();
               for (int i = 0; i < 2; ++i) {
                 std::unique_lock lock(s->mu);
                 if (fixed) lock.unlock();
                 (void)s->ch.recv();
               }
             });
             for (int i = 0; i < 2; ++i) {
               std::unique_lock lock(s->mu);
               if (fixed) lock.unlock();
               (void)s->ch.send(i);
             }
           }},
    kernel{"kubernetes_1321", "channel & lock",
           [](bool fixed) {
             // To stop watching is to close the channel under the lock that the distributor holds while it sends there.
             auto s = std::make_shared<shared>();
             go([=] {
               const std::lock_guard distribute(s->mu);
               if (fixed)
                 select(on_send(s->ch, 1), on_recv(s->other));
               else
                 (void)s->ch.send(1);
             });
             settle();
             go([=] {
               if (fixed) s->other.close();
               const std::lock_guard stop(s->mu);
               s->ch.close();
             });
           }},
    kernel{"kubernetes_6632", "channel & lock",
           [](bool fixed) {
             // A frame's writer holds the lock and waits for room for a reset; the monitor wants the lock to close.
             auto s = std::make_shared<shared>();
             if (fixed)
               go([=] {
                 for (int reset : s->ch) s->n += reset;
               });
             go([=] {
               const std::lock_guard write(s->mu);
               (void)s->ch.send(1);
             });
             settle();
             go([=] {
               const std::lock_guard monitor(s->mu);
               s->ch.close();
             });
           }},
    kernel{"kubernetes_10182", "channel & lock", send_under_the_receivers_lock},
    kernel{"kubernetes_26980", "channel & lock",
           [](bool fixed) {
             // A listener pops under its lock and hands over what it got; adding to it wants the lock, and whoever takes
             // from it adds first.
             auto s = std::make_shared<shared>();
             go([=] {
               std::unique_lock pop(s->mu);
               if (fixed) pop.unlock();
               (void)s->ch.send(++s->n);
             });
             settle();
             { const std::lock_guard add(s->mu); }
             (void)s->ch.recv();
           }},
    kernel{"moby_25384", "wait group",
           [](bool fixed) {
             // Waiting for all of them inside the loop that starts them.
             auto s = std::make_shared<shared>();
             constexpr int plugins = 3;
             s->all.add(plugins);
             for (int i = 0; i < plugins; ++i) {
               go([=] { s->all.done(); });
               if (!fixed) s->all.wait();
             }
             s->all.wait();
           }},
    kernel{"moby_28462", "channel & lock",
           [](bool fixed) {
             // A container's state changes: under its lock the health monitor is told to stop, which wants the lock.
             auto s = std::make_shared<shared>();
             go([=] {
               settle();
               { const std::lock_guard probe(s->mu); }
               (void)s->ch.recv();
             });
             go([=] {
               std::unique_lock changed(s->mu);
               if (fixed) changed.unlock();
               (void)s->ch.send(1);
             });
           }},
    kernel{"serving_2137", "channel & lock",
           [](bool fixed) {
             // Requests wait for permission in one order and are let go in another. Room for one at a time.
             struct request {
               mutex lock;
               channel<int> accepted{1};
             };
             auto requests = std::make_shared<std::array<request, 2>>();
             const channel<int> active(1);
             for (request& r : *requests) r.lock.lock();
             for (std::size_t i = 0; i < 2; ++i) {
               go([=] {
                 if (i == 1) settle();
                 request& r = (*requests)[i];
                 (void)active.send(1);
                 r.lock.lock();
                 r.lock.unlock();
                 (void)r.accepted.send(1);
                 (void)active.recv();
               });
             }
             settle();
             for (const std::size_t i : fixed ? std::array<std::size_t, 2>{0, 1} : std::array<std::size_t, 2>{1, 0}) {
               (*requests)[i].lock.unlock();
               (void)(*requests)[i].accepted.recv();
             }
           }},
};

}  // namespace

std::span<const kernel> mixed() { return all; }

}  // namespace kernels
