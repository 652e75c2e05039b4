#include "thread_state.hpp"

#include "worker.hpp"

namespace spool::detail {

#ifdef SPOOL_WITHOUT_TLS_BARRIER
thread_local constinit worker* tls_worker = nullptr;
#else
namespace {
thread_local constinit worker* tls_worker = nullptr;
}

worker* current_worker() noexcept {
  asm volatile("");  // keeps callers from treating this as a pure function, even when the linker optimizes
  return tls_worker;
}
#endif

void set_current_worker(worker* w) noexcept {
  tls_worker = w;
}

// Here because they are called so often: they look at the variable itself, once, before a yield. What runs on a worker
// outside of fibers (a reactor's handlers) spends budget too; it does not matter.
fiber* current_fiber() noexcept {
  asm volatile("");
  worker* w = tls_worker;
  return w != nullptr ? w->current() : nullptr;
}

caller spend_budget() noexcept {
  asm volatile("");
  worker* w = tls_worker;
  if (w == nullptr) return {nullptr, 0};
  if (w->spend_budget()) [[unlikely]] return w->end_turn_of_caller();
  return w->as_caller();
}

bias_id current_bias_id() noexcept {
  asm volatile("");
  worker* w = tls_worker;
  return w != nullptr ? w->bias.id() : bias_id{0};
}

}  // namespace spool::detail
