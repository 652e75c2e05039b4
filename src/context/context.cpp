#include <spool/context/context.hpp>

#include "context_core.hpp"

#include <spool/context/detail/done_hook.hpp>

#include <atomic>

namespace spool {
namespace detail {

std::uint64_t next_context_key_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void done_hook::enlist() noexcept {
  if (static_cast<context_core*>(watched_)->add_waiter(node_)) return;
  watched_ = nullptr;
  if (node_.try_claim()) node_.owner->wake();
}

void done_hook::withdraw() noexcept { static_cast<context_core*>(watched_)->remove_waiter(node_); }

}  // namespace detail

error context::err() const {
  if (!done()) return {};
  return detail::core_of(*this)->err();
}

error context::cause() const {
  if (!done()) return {};
  const detail::context_core* core = detail::core_of(*this);
  return core->cause() ? core->cause() : error(core->err());
}

std::optional<std::chrono::steady_clock::time_point> context::deadline() const noexcept {
  if (!node_ || detail::core_of(*this)->deadline() == detail::time_point::max()) return std::nullopt;
  return detail::core_of(*this)->deadline();
}

void context::wait() const {
  // No short cut for done(): the hook takes the node's lock, so that everything below is done, too, when this returns.
  detail::waiter self;
  const detail::done_hook end(*this, self, detail::waiter::done);
  const void* watched = node_.get();
  self.wait({"context", watched != nullptr ? watched : detail::nobody});
}

std::stop_token context::stop_token() const { return node_ ? detail::core_of(*this)->stop_token() : std::stop_token{}; }

context without_cancel(const context& parent) noexcept {
  return detail::context_access::make(nullptr, detail::context_access::values(parent));
}

}  // namespace spool
