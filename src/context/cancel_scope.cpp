#include <spool/context/cancel_scope.hpp>

#include "context_core.hpp"

#include <spool/runtime/detail/timer_node.hpp>

namespace spool {
namespace detail {
namespace {

// A node with a deadline of its own. The armed timer counts as a reference: of "it was taken off the queue" and "it
// fires" exactly one comes to pass, and that one drops the reference. It cannot keep a forgotten context: scopes
// cancel.
class timed_core final : public context_core, private timer_node {
 public:
  timed_core(context_core* parent, time_point deadline) noexcept
      : context_core(parent), timer_node(&timed_core::fire_timer, mode::unlocked) {
    deadline_ = deadline;
  }

  void arm() {
    intrusive_ptr_add_ref(this);
    try {
      arm_timer(*this, deadline_);
    } catch (...) {
      intrusive_ptr_release(this);
      throw;
    }
  }

 private:
  static void fire_timer(timer_node& node, timer_queue* from) noexcept {
    const boost::intrusive_ptr<timed_core> self(static_cast<timed_core*>(&node), false);
    if (from != nullptr) self->cancel(errc::deadline_exceeded, {});
  }
  void ended() noexcept override {
    if (cancel_timer(*this)) intrusive_ptr_release(this);
  }
};

}  // namespace
}  // namespace detail

void canceller::operator()(error cause) const {
  if (node_) static_cast<detail::context_core*>(node_.get())->cancel_by_owner(cause);
}

void cancel_scope::end() noexcept {
  if (detail::context_core* core = detail::core_of(ctx_)) core->cancel_by_owner({});
}

cancel_scope with_cancel(const context& parent) {
  boost::intrusive_ptr<detail::context_core> core(new detail::context_core(detail::core_of(parent)));
  core->follow_parent();
  return cancel_scope(detail::adopt(parent, std::move(core)));
}

cancel_scope with_deadline(const context& parent, std::chrono::steady_clock::time_point when) {
  const detail::context_core* above = detail::core_of(parent);
  const bool parents_stands = above != nullptr && above->deadline() <= when;
  if (parents_stands || when == detail::time_point::max()) return with_cancel(parent);
  boost::intrusive_ptr<detail::timed_core> core(new detail::timed_core(detail::core_of(parent), when));
  const bool passed = when <= detail::clock::now();
  // Armed before anybody can find it: a cancellation that comes from the parent takes the timer off again.
  if (!passed && !parent.done()) core->arm();
  core->follow_parent();
  if (passed) core->cancel(errc::deadline_exceeded, {});
  return cancel_scope(detail::adopt(parent, std::move(core)));
}

}  // namespace spool
