#include <spool/sync/wait_group.hpp>

namespace spool {

error wait_group::wait(const context& ctx) {
  const detail::wait_limit limit(ctx);
  return limit.to_error(tasks_.wait(limit, "wait_group"));
}

}  // namespace spool
