#include <spool/sync/once.hpp>

namespace spool {
namespace {

constexpr detail::waiter::outcome call_succeeded = detail::waiter::done;
constexpr detail::waiter::outcome call_failed = detail::waiter::done + 1;

}  // namespace

struct once::queued {
  detail::waiter self;
  queued* before = nullptr;  // in the chain: who came earlier
};

bool once::enter() noexcept {
  std::uintptr_t s = state_.load(std::memory_order_acquire);
  for (;;) {
    if (s == done) return false;
    if (s == idle) {
      if (state_.compare_exchange_weak(s, running, std::memory_order_acquire)) return true;
      continue;
    }
    queued mine;
    bool in_chain = false;
    while (!in_chain && s != done && s != idle) {
      mine.before = s == running ? nullptr : reinterpret_cast<queued*>(s);
      in_chain = state_.compare_exchange_weak(s, reinterpret_cast<std::uintptr_t>(&mine), std::memory_order_acq_rel,
                                              std::memory_order_acquire);
    }
    if (!in_chain) continue;
    // After a success *this may be gone. After a failure all who waited try anew.
    if (mine.self.wait({"once", this}) == call_succeeded) return false;
    s = state_.load(std::memory_order_acquire);
  }
}

void once::leave(bool succeeded) noexcept {
  std::uintptr_t s = state_.exchange(succeeded ? done : idle, std::memory_order_acq_rel);
  if (s == running) return;
  queued* first = nullptr;  // turned round, so that they go on in the order in which they came
  for (auto* q = reinterpret_cast<queued*>(s); q != nullptr;) {
    queued* before = q->before;
    q->before = first;
    first = q;
    q = before;
  }
  while (first != nullptr) {
    queued* next = first->before;  // read now: once woken it is gone
    if (first->self.claim(succeeded ? call_succeeded : call_failed)) first->self.wake();
    first = next;
  }
}

}  // namespace spool
