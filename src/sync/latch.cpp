#include <spool/sync/latch.hpp>

#include <stdexcept>

namespace spool {

latch::latch(std::ptrdiff_t count) : arrivals_(count) {
  if (count < 0) throw std::invalid_argument("spool::latch: the count must not be negative");
}

void latch::count_down(std::ptrdiff_t n) {
  if (n < 0) throw std::invalid_argument("spool::latch::count_down: n must not be negative");
  arrivals_.add(-n, "spool::latch::count_down: more arrivals than the count given to the constructor");
}

error latch::wait(const context& ctx) {
  const detail::wait_limit limit(ctx);
  return limit.to_error(arrivals_.wait(limit, "latch"));
}

bool latch::try_wait() {
  const bool open = arrivals_.is_zero();
  detail::spend_budget();
  return open;
}

}  // namespace spool
