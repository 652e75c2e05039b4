// What spool keeps in thread-local storage: which worker runs on this thread, and the nodes that the thread has freed.
//
// A fiber may go on on another thread after each wait. Compilers take the address of a thread_local for a constant of the
// function and keep it across calls, so an inlined access after a wait could still name the old thread's worker.
// Hence an opaque function, called anew each time. No other file says thread_local.
#pragma once

namespace spool::detail {

class worker;

#ifdef SPOOL_WITHOUT_TLS_BARRIER
extern thread_local constinit worker* tls_worker;
inline worker* current_worker() noexcept {
  return tls_worker;
}
#else
/// The worker whose thread this is, or null on a thread that is not spool's.
[[gnu::noinline]] worker* current_worker() noexcept;
#endif

void set_current_worker(worker* w) noexcept;

struct node_caches;
[[gnu::noinline]] node_caches& this_threads_nodes() noexcept;

}  // namespace spool::detail
