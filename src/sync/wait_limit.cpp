#include <spool/context/context.hpp>
#include <spool/context/detail/done_hook.hpp>
#include <spool/sync/detail/wait_limit.hpp>

namespace spool::detail {

bool wait_limit::canceled() const noexcept { return ctx_ != nullptr && ctx_->done(); }

waiter::outcome wait_limit::wait(waiter& w, wait_site site, waiter::needs needs) const noexcept {
  if (none()) w.note(needs);
  if (ctx_ == nullptr) return w.wait_until(deadline_, site);
  const done_hook hook(*ctx_, w);
  return w.wait(site);
}

error wait_limit::to_error(waiter::outcome how) const {
  switch (how) {
    case waiter::timed_out: return errc::deadline_exceeded;
    case waiter::canceled: return ctx_->err();
    default: return {};
  }
}

}  // namespace spool::detail
