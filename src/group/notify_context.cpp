#include <spool/group/notify_context.hpp>

#include "signal_watch.hpp"

#include "context/context_core.hpp"

#include <stdexcept>

namespace spool {
namespace detail {
namespace {

class notify_core final : public context_core, private signal_listener {
 public:
  using context_core::context_core;
  ~notify_core() override { signal_watch::instance().remove(*this); }

  void watch(std::span<const int> signals) { signal_watch::instance().add(*this, signals); }

 private:
  bool acquire() noexcept override { return try_add_ref(); }
  void signal_came(int signal) noexcept override {
    const boost::intrusive_ptr<notify_core> self(this, false);
    cancel(errc::canceled, signal_error(signal));
  }
  // Not when done: as in Go the signals stay ours until the owner has had enough, or the second of two that come
  // together (as `timeout` sends them) would kill a process that is just ending in good order.
  void owner_left() noexcept override { signal_watch::instance().remove(*this); }
};

}  // namespace
}  // namespace detail

cancel_scope notify_context(const context& parent, std::span<const int> signals) {
  if (signals.empty()) throw std::invalid_argument("notify_context: name at least one signal to watch");
  boost::intrusive_ptr<detail::notify_core> core(new detail::notify_core(detail::core_of(parent)));
  core->watch(signals);
  core->follow_parent();
  return cancel_scope(detail::adopt(parent, std::move(core)));
}

}  // namespace spool
