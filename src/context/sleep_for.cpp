#include <spool/context/sleep_for.hpp>

#include <spool/context/detail/done_hook.hpp>
#include <spool/runtime/this_fiber.hpp>

namespace spool::this_fiber {

error sleep_until(const context& ctx, detail::time_point when) {
  if (ctx.done()) return ctx.err();
  if (when <= detail::clock::now()) {
    yield();
    return {};
  }
  detail::waiter self;
  const detail::done_hook stop(ctx, self);
  return self.wait_until(when, {"sleep", nullptr}) == detail::waiter::canceled ? ctx.err() : error();
}

}  // namespace spool::this_fiber
