#include <spool/channel/detail/channel_base.hpp>
#include <spool/context/detail/done_hook.hpp>

#include <stdexcept>
#include <string>

namespace spool::detail {
namespace {

/// What waits with a limit looks the same to a reader, and is not the same to who compares addresses.
const char* site_of(channel_side side, bool unlimited) noexcept {
  if (side == channel_side::send) return unlimited ? channel_send_wait : "channel send";
  return unlimited ? channel_recv_wait : "channel recv";
}

[[gnu::noinline]] waiter::outcome wait_within(waiter& w, const wait_bounds& bounds, wait_site site) noexcept {
  if (bounds.ctx == nullptr) return w.wait_until(bounds.deadline, site);
  done_hook hook(*bounds.ctx, w);
  return w.wait_until(bounds.deadline, site);
}

channel_status status_of(waiter::outcome how, const wait_bounds& bounds) {
  return how == waiter::canceled ? done_status(*bounds.ctx) : channel_status::timeout;
}

}  // namespace

void* allocate_channel(std::size_t bytes, std::align_val_t alignment) {
  return ::operator new(bytes, alignment);
}

static_assert(sizeof(channel_base) == channel_head_bytes, "what follows are messages, which refer to what they like");

alignas(channel_base) std::byte nil_channel_mark[sizeof(channel_base)];

// After a switch a processor expects returns into the fiber that left the thread, as far as call sites differ; the first that
// does is the one from here. A jump through a register is predicted by where it went lately, which is right as a rule.
// With it a rendezvous takes 31 ns for 36 (docs/adr/0009).
#if defined(__x86_64__) && !defined(BOOST_USE_UCONTEXT)
[[gnu::naked, gnu::no_instrument_function]] channel_status channel_base::wait_alone(fiber*, channel_queue&, const char*,
                                                                                   void*, bool) {
  asm("subq $8, %rsp\n\t"
      ".cfi_adjust_cfa_offset 8\n\t"
      "call spool_channel_wait_alone_on\n\t"
      "addq $8, %rsp\n\t"
      ".cfi_adjust_cfa_offset -8\n\t"
      "popq %rcx\n\t"
      ".cfi_adjust_cfa_offset -8\n\t"
      ".cfi_register %rip, %rcx\n\t"
      "jmp *%rcx");
}
#else
channel_status channel_base::wait_alone(fiber* self, channel_queue& mine, const char* what, void* slot, bool assigns) {
  return wait_alone_on(*this, self, mine, what, slot, assigns);
}
#endif

channel_status channel_base::wait_alone_on(channel_base& ch, fiber* self, channel_queue& mine, const char* what, void* slot,
                                           bool assigns) {
  waiter me(self);
  channel_node node(me, slot, assigns);
  node.alone = true;
  mine.push_back(node);
  const waiter::outcome how = me.wait_unlocking(ch.mu_, {what, &ch});
  // In this order: the result of a node that has stalled may change at any time.
  if (!node.has_stalled && node.result == channel_node::state::done) [[likely]] return channel_status::ok;
  const channel_side side = &mine == &ch.senders_ ? channel_side::send : channel_side::recv;
  return ch.outcome_of(node, how, side, unbounded);
}

channel_status channel_base::wait_bounded(fiber* self, channel_side side, void* slot, bool assigns,
                                          const wait_bounds& bounds) {
  waiter me(self);
  channel_node node(me, slot, assigns);
  queue(side).push_back(node);
  mu_.unlock();
  return outcome_of(node, wait_within(me, bounds, {site_of(side, false), this}), side, bounds);
}

/// Waits on for as long as peers fail to serve the node.
channel_status channel_base::outcome_of(channel_node& node, waiter::outcome how, channel_side side,
                                        const wait_bounds& bounds) {
  waiter& self = *node.owner;
  while (how == waiter::done && node.has_stalled) [[unlikely]] {
    mu_.lock();
    if (node.result != channel_node::state::stalled) {  // served since
      mu_.unlock();
      break;
    }
    node.result = channel_node::state::waiting;  // still first in its queue
    node.has_stalled = false;
    self.rearm();
    mu_.unlock();
    how = wait_within(self, bounds, {site_of(side, bounds.none()), this});
  }
  if (how != waiter::done) [[unlikely]] {
    const std::lock_guard relock(mu_);
    if (node.linked()) queue(side).erase(node);
    return status_of(how, bounds);
  }
  if (node.failure) [[unlikely]] std::rethrow_exception(std::move(node.failure));
  return node.result == channel_node::state::done ? channel_status::ok : channel_status::closed;
}

bool channel_base::close() noexcept {
  wait_queue woken;
  {
    const std::lock_guard guard(mu_);
    if (closed_.load(std::memory_order_relaxed)) return false;
    closed_.store(true, std::memory_order_release);
    for (channel_queue* waiters : {&receivers_, &senders_}) {
      while (channel_node* n = waiters->pop_claimed()) {
        n->result = channel_node::state::closed;
        if (!n->has_stalled) woken.push_back(*n);
      }
    }
  }
  while (wait_node* n = woken.pop_front()) n->owner->wake();
  return true;
}

void channel_base::outlive_handles() noexcept {
  bool held = false;
  mu_.guard([&] { without_handles_ = held = holds_.load(std::memory_order_relaxed) != 0; });
  if (!held) manage_(*this, action::destroy);
}

void channel_base::leave(channel_side side) noexcept {
  // Acquire and release: what the other endpoints of this side did comes before the close.
  if (ends(side).fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  close();
  if (side == channel_side::recv) manage_(*this, action::discard);
}

channel_status done_status(const context& ctx) {
  spend_budget();  // who tries again and again has to give way
  return ctx.err() == errc::deadline_exceeded ? channel_status::timeout : channel_status::canceled;
}

channel_status wait_on_nil(channel_side side, const wait_bounds& bounds) {
  waiter self;
  return status_of(wait_within(self, bounds, {site_of(side, bounds.none()), bounds.none() ? nobody : nullptr}), bounds);
}

void channel_handle::throw_moved_from(const char* operation) {
  throw std::logic_error(std::string("use of a moved-from channel (") + operation +
                         "): copy a handle to keep it, or assign a channel to this one first");
}

void throw_close_of_nil() { throw std::logic_error("close of a nil channel: close one that was made with a capacity"); }

void throw_bad_capacity(std::size_t capacity) {
  throw std::length_error("a channel cannot hold " + std::to_string(capacity) +
                          " values: choose a capacity that its memory and 2^32 - 1 allow");
}

}  // namespace spool::detail
