#include <spool/net/detail/completion.hpp>

#include <spool/context/detail/done_hook.hpp>
#include <spool/runtime/this_fiber.hpp>

#include <optional>

namespace spool::detail {

void completion::announce() noexcept {
  waiter* w = waiting_.exchange(announced_mark(), std::memory_order_acq_rel);
  if (w == nullptr) return;
  if (w->claim(waiter::done)) {
    w->wake();
  } else {
    late_.store(true, std::memory_order_release);
  }
}

bool completion::wait_within(const context* ctx, time_point deadline, wait_site site) noexcept {
  waiter self;
  waiter* expected = nullptr;
  if (!waiting_.compare_exchange_strong(expected, &self, std::memory_order_acq_rel)) return true;
  waiter::outcome how;
  {
    std::optional<done_hook> stop;
    if (ctx != nullptr) stop.emplace(*ctx, self);
    how = self.wait_until(deadline, site);
  }
  if (how == waiter::done) return true;
  expected = &self;
  if (waiting_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel)) return false;
  // Announced meanwhile, by somebody who is about to find that the limit came first.
  while (!late_.load(std::memory_order_acquire)) this_fiber::yield();
  return true;
}

}  // namespace spool::detail
