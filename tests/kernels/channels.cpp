// Messages that nobody sends or takes, contexts that nobody cancels, conditions that nobody notifies.
#include "kernel.hpp"

#include <array>
#include <functional>
#include <optional>

namespace kernels {
namespace {

/// A helper sends its result to a caller who has gone. Fixed: the channel has room for it.
void result_nobody_takes(bool fixed) {
  const channel<int> result(fixed ? 1 : 0);
  go([=] {
    settle();
    (void)result.send(1);
  });
  select(on_recv(result), on_timeout(1ms));
}

/// A fiber waits for the end of a context that its owner forgets to cancel. Fixed: the owner cancels.
void context_nobody_cancels(bool fixed) {
  auto scope = std::make_shared<cancel_scope>(with_cancel(context::background()));
  go([scope] { scope->ctx().wait(); });
  if (fixed) scope->cancel();
}

const std::array all{
    kernel{"cockroach_2448", "channel",
           [](bool fixed) {
             // Two loops, each of which sends to the other and takes nothing meanwhile.
             const channel<int> events, callbacks;
             go([=] {
               for (int i = 0; i < 2; ++i) (void)events.send(i);
               (void)callbacks.recv();
             });
             go([=] {
               (void)events.recv();
               if (fixed)
                 go([=] { (void)callbacks.send(1); });
               else
                 (void)callbacks.send(1);
               (void)events.recv();
             });
           }},
    kernel{"cockroach_18101", "channel & context",
           [](bool fixed) {
             // Cancelling stops who takes from the channel, and not who sends.
             const channel<int> ready;
             auto scope = std::make_shared<cancel_scope>(with_cancel(context::background()));
             go([=] {
               for (int i = 0; i < 4; ++i) {
                 if (!fixed)
                   (void)ready.send(i);
                 else if (ready.send(scope->ctx(), i) != channel_status::ok)
                   return;
               }
             });
             (void)ready.recv();
             scope->cancel();
           }},
    kernel{"cockroach_24808", "channel",
           [](bool fixed) {
             // The start posts a first suggestion to a channel of one, which a suggestion may have filled before.
             const channel<int> suggestions(1);
             (void)suggestions.try_send(1);
             if (fixed)
               (void)suggestions.try_send(2);
             else
               (void)suggestions.send(2);
             go([=] { (void)suggestions.recv(); });
           }},
    kernel{"cockroach_25456", "channel",
           [](bool fixed) {
             // Asking whether the store drains waits until it does.
             const channel<int> draining;
             go([=] {
               if (fixed)
                 (void)draining.try_recv();
               else
                 (void)draining.recv();
             });
           }},
    kernel{"cockroach_35073", "channel",
           [](bool fixed) {
             // The consumer fails at its start and does not close the channel that its producer fills.
             const channel<int> rows(1);
             go([=] {
               for (int i = 0; i < 3 && rows.send(i); ++i) {
               }
             });
             go([=] {
               if (fixed) rows.close();
             });
           }},
    kernel{"cockroach_35931", "channel",
           [](bool fixed) {
             // Telling every input that the flow is cancelled waits for room in the first, which nobody reads any more.
             std::array<channel<int>, 2> inputs{channel<int>(1), channel<int>(1)};
             (void)inputs[0].send(0);
             go([=] { (void)inputs[1].recv(); });
             go([=] {
               for (const channel<int>& in : inputs) {
                 if (fixed)
                   (void)in.try_send(9);
                 else
                   (void)in.send(9);
               }
             });
           }},
    kernel{"etcd_6857", "channel",
           [](bool fixed) {
             // A request for the state of a loop that has ended. Fixed: it looks at `done`, too.
             const channel<int> stop, done, status;
             go([=] {
               select(on_recv(stop), on_recv(status));
               done.close();
             });
             (void)stop.send(1);
             (void)done.recv();
             go([=] {
               if (fixed)
                 select(on_send(status, 1), on_recv(done));
               else
                 (void)status.send(1);
             });
           }},
    kernel{"grpc_660", "channel", result_nobody_takes},
    kernel{"grpc_1275", "channel",
           [](bool fixed) {
             // Closing a stream does not tell its reader, for whom the closer waits.
             const channel<int> incoming, read;
             go([=] {
               (void)incoming.recv();
               read.close();
             });
             if (fixed) incoming.close();
             (void)read.recv();
           }},
    kernel{"grpc_1424", "channel",
           [](bool fixed) {
             // The dialler gives up on the balancer without a word, and the fiber that awaits the address goes on waiting.
             const channel<int> addresses, done;
             go([=] {
               (void)addresses.recv();
               done.close();
             });
             select(on_recv(done), on_timeout(1ms));
             if (fixed) addresses.close();
           }},
    kernel{"istio_17860", "channel",
           [](bool fixed) {
             // Who reads the status ended at the first failure; a second run has its status still to tell.
             const channel<int> status(fixed ? 2 : 0);
             for (int i = 0; i < 2; ++i) go([=] { (void)status.send(i); });
             (void)status.recv();
           }},
    kernel{"istio_18454", "channel & context",
           [](bool fixed) {
             // Two fibers stop the same timer and each takes the tick that it believes to be in the channel.
             const channel<int> tick(1);
             (void)tick.send(1);
             for (int i = 0; i < 2; ++i) {
               go([=] {
                 if (fixed)
                   (void)tick.try_recv();
                 else
                   (void)tick.recv();
               });
             }
           }},
    kernel{"kubernetes_5316", "channel", result_nobody_takes},
    kernel{"kubernetes_38669", "channel",
           [](bool fixed) {
             // The loop over events has nobody who sends or closes.
             const channel<int> events, out(1);
             go([=] {
               for (int e : events) (void)out.send(e);
             });
             if (fixed) events.close();
           }},
    kernel{"kubernetes_70277", "channel",
           [](bool fixed) {
             // A poller's fiber ends when `done` is closed, which the wait that uses it never does.
             const channel<int> done, tick;
             go([=] {
               for (;;) {
                 if (select(on_send(tick, 1), on_recv(done)) == 1) return;
               }
             });
             (void)tick.recv();
             if (fixed) done.close();
           }},
    kernel{"moby_4395", "channel", result_nobody_takes},
    kernel{"moby_21233", "channel",
           [](bool fixed) {
             // A test expects each of five updates, of which one that comes soon after another takes its place.
             const channel<int> updates, finished;
             go([=] {
               for (int i = 0; i < 4; ++i) (void)updates.send(i);
               if (fixed) updates.close();
             });
             go([=] {
               for (int i = 0; i < 5 && updates.recv(); ++i) {
               }
               finished.close();
             });
             (void)finished.recv();
           }},
    kernel{"moby_33293", "channel",
           [](bool fixed) {
             // An error is sent by the one fiber that was to return the channel.
             const channel<int> errors(fixed ? 1 : 0);
             (void)errors.send(1);
           }},
    kernel{"moby_33781", "channel & context", result_nobody_takes},
    kernel{"syncthing_5795", "channel",
           [](bool fixed) {
             // Closing waits for the dispatcher, which waits for the closer to take what it has.
             const channel<int> inbox, closed, stopped;
             go([=] {
               if (fixed)
                 select(on_send(inbox, 1), on_recv(closed));
               else
                 (void)inbox.send(1);
               stopped.close();
             });
             closed.close();
             (void)stopped.recv();
           }},
    kernel{"cockroach_10790", "channel & context",
           [](bool fixed) {
             // A collector leaves when its context is done; the fiber it started goes on awaiting the answers.
             auto scope = std::make_shared<cancel_scope>(with_cancel(context::background()));
             const std::array<channel<int>, 2> answers{channel<int>(), channel<int>()};
             go([=] {
               for (const channel<int>& a : answers) {
                 if (!fixed)
                   (void)a.recv();
                 else if (!a.recv(scope->ctx()))
                   return;
               }
             });
             (void)answers[0].send(1);
             scope->cancel();
           }},
    kernel{"cockroach_13197", "channel & context", context_nobody_cancels},
    kernel{"cockroach_13755", "channel & context", context_nobody_cancels},
    kernel{"grpc_862", "channel & context",
           [](bool fixed) {
             // A dial fails and returns without closing the connection, whose fiber lives until it is closed.
             struct connection {
               cancel_scope life = with_cancel(context::background());
               channel<int> state;
             };
             auto c = std::make_shared<connection>();
             go([=] { select(on_recv(c->state), on_done(c->life.ctx())); });
             const bool connected = false;
             if (!connected && fixed) c->life.cancel();
           }},
    kernel{"kubernetes_25331", "channel & context",
           [](bool fixed) {
             // A watch that has failed sends its error to one that has stopped and cancelled.
             auto scope = std::make_shared<cancel_scope>(with_cancel(context::background()));
             const channel<int> results;
             go([=] {
               scope->ctx().wait();
               if (fixed)
                 (void)results.send(scope->ctx(), 1);
               else
                 (void)results.send(1);
             });
             scope->cancel();
           }},
    kernel{"moby_27782", "channel & condition",
           [](bool fixed) {
             // Removing a watch waits for the reader to notice; the reader waits for the remover to take its event.
             struct watcher {
               mutex mu;
               condition_variable noticed;
               bool gone = false;
               channel<int> events, closing;
             };
             auto w = std::make_shared<watcher>();
             go([=] {
               if (fixed)
                 select(on_send(w->events, 1), on_recv(w->closing));
               else
                 (void)w->events.send(1);
               const std::lock_guard lock(w->mu);
               w->gone = true;
               w->noticed.notify_all();
             });
             go([=] {
               w->closing.close();
               std::unique_lock lock(w->mu);
               w->noticed.wait(lock, [&] { return w->gone; });
             });
           }},
    kernel{"kubernetes_11298", "condition",
           [](bool fixed) {
             // The loop waits for a signal that was given before it began to wait. Fixed: it looks at what was signalled.
             struct node {
               mutex mu;
               condition_variable changed;
               bool told = false;
             };
             auto n = std::make_shared<node>();
             {
               const std::lock_guard lock(n->mu);
               n->told = true;
               n->changed.notify_all();
             }
             go([=] {
               std::unique_lock lock(n->mu);
               if (fixed)
                 n->changed.wait(lock, [&] { return n->told; });
               else
                 n->changed.wait(lock);
             });
           }},
    kernel{"moby_29733", "condition",
           [](bool fixed) {
             // Plugins are waited for, and whoever activates one tells nobody.
             struct plugin {
               mutex mu;
               condition_variable active;
               bool is_active = false;
             };
             auto p = std::make_shared<plugin>();
             go([=] {
               std::unique_lock lock(p->mu);
               p->active.wait(lock, [&] { return p->is_active; });
             });
             go([=] {
               settle();
               const std::lock_guard lock(p->mu);
               p->is_active = true;
               if (fixed) p->active.notify_all();
             });
           }},
    kernel{"moby_30408", "condition",
           [](bool fixed) {
             // The same on the way of an activation that fails: an error is stored and no one is notified.
             struct plugin {
               mutex mu;
               condition_variable decided;
               std::optional<int> outcome;
             };
             auto p = std::make_shared<plugin>();
             const auto activate = [=](bool works) {
               const std::lock_guard lock(p->mu);
               p->outcome = works ? 0 : 1;
               if (works || fixed) p->decided.notify_all();
             };
             go([=] {
               std::unique_lock lock(p->mu);
               p->decided.wait(lock, [&] { return p->outcome.has_value(); });
             });
             settle();
             go([=] { activate(false); });
           }},
};

}  // namespace

std::span<const kernel> channels() { return all; }

}  // namespace kernels
