#include "postgres_pool.hpp"

namespace db {

postgres_pool::postgres_pool(std::size_t max, std::string conninfo)
    : conninfo_(std::move(conninfo)),
      connections_(max, [this](const spool::context& ctx) { return postgres::connect(ctx, conninfo_); }) {}

spool::result<postgres_pool::handle> postgres_pool::acquire(const spool::context& ctx) {
  auto loan = connections_.acquire(ctx);
  if (!loan) return loan.error();
  handle held(std::move(*loan));
  if (held->alive()) return held;
  auto fresh = postgres::connect(ctx, conninfo_);  // in the place of the one that died, which others are queueing for
  if (!fresh) return fresh.error();
  *held = std::move(*fresh);
  return held;
}

}  // namespace db
