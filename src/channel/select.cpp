// How a select proceeds:
//   1. Look at the cases in random order and take the first that is ready. Nothing is registered yet, so an operation
//      claims its peer only; two selects that face each other cannot both be claimed.
//   2. Lock every channel involved, in order of address, and look again: now "none is ready" holds at one instant. A
//      select with `otherwise` ends here; any other joins every queue before it unlocks.
//   3. Wait. Whoever claims names the case (outcome = index + 1). Then leave the other queues.
// A select meets neither itself nor a copy of its own case: in 1 and 2 it stands in no queue, in 3 it only waits.
// Contexts, futures and timeouts never become unready again, so that looking at them after the channels is exact.
#include <spool/channel/select.hpp>
#include <spool/context/detail/done_hook.hpp>

#include "random_order.hpp"
#include "scratch.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>

namespace spool::detail {
namespace {

constexpr std::size_t cases_on_stack = 16;
constexpr std::size_t none = ~std::size_t{0};
constexpr selection nothing{none, false};

channel_side side_of(const select_op& op) noexcept {
  return op.what() == select_op::kind::send ? channel_side::send : channel_side::recv;
}

/// All channels of a select, locked in order of address; unlocks, then wakes whom the select has served.
class all_locked {
 public:
  all_locked(scratch<channel_base*, cases_on_stack>& sorted, fiber* self) noexcept : channels_(sorted), self_(self) {
    for (channel_base* ch : channels_) ch->lock().lock();
  }
  ~all_locked() {
    for (channel_base* ch : channels_) ch->lock().unlock();
    if (woken != nullptr) wake_chain(woken, self_);
  }
  all_locked(const all_locked&) = delete;
  all_locked& operator=(const all_locked&) = delete;

  channel_node* woken = nullptr;

 private:
  scratch<channel_base*, cases_on_stack>& channels_;
  fiber* self_;
};

/// One case while its select waits.
struct registration {
  registration(waiter& self, std::size_t index) noexcept
      : node(self, nullptr, false, static_cast<waiter::outcome>(index + 1)) {}
  channel_node node;
  std::optional<done_hook> hook;
};

class selector {
 public:
  explicit selector(std::span<select_op* const> cases) : cases_(cases), order_(cases.size()), channels_(cases.size()) {
    for (std::size_t i = 0; i < cases_.size(); ++i) add(i);
  }

  selection choose() {
    self_ = spend_budget();
    selection chosen = poll();
    if (chosen.index == none) {
      gather_channels();
      if (otherwise_ == none) return wait();
      chosen = poll_at_one_instant();
      if (chosen.index == none) chosen = {otherwise_, true};
    }
    return chosen;
  }

 private:
  void add(std::size_t i) {
    select_op& op = *cases_[i];
    if (op.has_to_prepare()) op.prepare();
    if (op.on_channel()) return;
    if (op.what() == select_op::kind::timeout) {
      if (timeout_ == none || op.deadline < cases_[timeout_]->deadline) timeout_ = i;
    } else if (op.what() == select_op::kind::otherwise) {
      if (otherwise_ != none) throw std::logic_error("select has more than one otherwise: give it one at most");
      otherwise_ = i;
    }
  }

  void gather_channels() noexcept {
    for (select_op* op : cases_) {
      if (op->on_channel() && op->channel != nullptr) channels_.emplace_back(op->channel);
    }
    // One case, or two in the right order, is the rule.
    if (std::adjacent_find(channels_.begin(), channels_.end(), std::greater_equal<>()) == channels_.end()) return;
    std::sort(channels_.begin(), channels_.end(), std::less<>());
    const auto last = std::unique(channels_.begin(), channels_.end());
    channels_.shrink_to(static_cast<std::size_t>(last - channels_.begin()));
  }

  /// Exact if the channel is locked.
  static bool would_block(const select_op& op) noexcept {
    return side_of(op) == channel_side::send ? op.channel->send_would_block() : op.channel->recv_would_block();
  }

  static bool is_ready(select_op& op) {
    switch (op.what()) {
      case select_op::kind::done:
      case select_op::kind::ready: return op.ready();
      case select_op::kind::timeout: return op.deadline == time_point::min();
      default: return false;
    }
  }

  /// Step 1.
  selection poll() {
    for (std::size_t n = 0; n < cases_.size(); ++n) {
      const std::size_t i = order_.draw(n);
      select_op& op = *cases_[i];
      if (!op.on_channel()) {
        if (is_ready(op)) return {i, true};
        continue;
      }
      if (op.channel == nullptr || would_block(op)) continue;
      channel_section section(op.channel->lock(), self_);
      const channel_step step = op.commit(section.woken);
      if (step != channel_step::blocked) return {i, step == channel_step::done};
    }
    return nothing;
  }

  /// Step 2, with every channel locked.
  selection poll_locked(channel_node*& woken) {
    for (std::size_t n = 0; n < cases_.size(); ++n) {
      const std::size_t i = order_.drawn(n);
      select_op& op = *cases_[i];
      if (!op.on_channel() || op.channel == nullptr || would_block(op)) continue;
      const channel_step step = op.commit(woken);
      if (step != channel_step::blocked) return {i, step == channel_step::done};
    }
    return nothing;
  }

  selection poll_at_one_instant() {
    if (channels_.size() > 1) {  // one channel's answer in poll() was of one instant already
      all_locked lock(channels_, self_);
      const selection ready = poll_locked(lock.woken);
      if (ready.index != none) return ready;
    }
    for (std::size_t n = 0; n < cases_.size(); ++n) {
      const std::size_t i = order_.drawn(n);
      if (is_ready(*cases_[i])) return {i, true};
    }
    return nothing;
  }

  /// Whether a case without a channel can become ready.
  bool can_end() const noexcept {
    return std::any_of(cases_.begin(), cases_.end(), [](const select_op* op) { return !op->on_channel(); });
  }

  /// Step 3.
  selection wait();
  selection enter(std::size_t stalled);
  selection outcome_of(std::size_t i);
  void hook_others();
  void unhook_others() noexcept;
  void leave_queues(std::size_t won) noexcept;
  void unlink(std::size_t i) noexcept;

  std::span<select_op* const> cases_;
  random_order order_;
  scratch<channel_base*, cases_on_stack> channels_;
  std::size_t timeout_ = none;  // the case whose deadline comes first
  std::size_t otherwise_ = none;
  fiber* self_ = nullptr;
  waiter* waiter_ = nullptr;  // with places_, during wait()
  scratch<registration, cases_on_stack>* places_ = nullptr;
};

/// Of the case that was claimed and served by a peer.
selection selector::outcome_of(std::size_t i) {
  channel_node& node = (*places_)[i].node;
  if (node.failure) std::rethrow_exception(std::move(node.failure));
  return {i, node.result != channel_node::state::closed};
}

void selector::unlink(std::size_t i) noexcept {
  if ((*places_)[i].node.linked()) cases_[i]->channel->queue(side_of(*cases_[i])).erase((*places_)[i].node);
}

/// Joins every queue unless a case can proceed after all. `stalled`: the case that a peer tried to serve in vain; it
/// may have been served since, else it becomes the first in its queue again.
selection selector::enter(std::size_t stalled) {
  all_locked lock(channels_, self_);
  if (stalled != none) {
    for (std::size_t i = 0; i < cases_.size(); ++i) unlink(i);
    channel_node& node = (*places_)[stalled].node;
    if (node.result != channel_node::state::stalled) return outcome_of(stalled);
    node.result = channel_node::state::waiting;
    node.has_stalled = false;
    waiter_->rearm();
  }
  const selection ready = poll_locked(lock.woken);
  if (ready.index != none) return ready;
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    if (!cases_[i]->on_channel() || cases_[i]->channel == nullptr) continue;
    channel_node& node = (*places_)[i].node;
    node.slot = cases_[i]->slot();
    channel_queue& queue = cases_[i]->channel->queue(side_of(*cases_[i]));
    i == stalled ? queue.push_front(node) : queue.push_back(node);
  }
  return nothing;
}

/// Contexts and futures claim and wake by themselves: only once no lock is held.
void selector::hook_others() {
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    registration& place = (*places_)[i];
    if (cases_[i]->what() == select_op::kind::done) {
      place.hook.emplace(*cases_[i]->bounding_context(), *waiter_, place.node.claim_as);
    } else if (cases_[i]->what() == select_op::kind::ready && !cases_[i]->add_waiter(place.node)) {
      if (place.node.try_claim()) waiter_->wake(self_);
    }
  }
}

void selector::unhook_others() noexcept {
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    if (cases_[i]->what() == select_op::kind::done) (*places_)[i].hook.reset();
    if (cases_[i]->what() == select_op::kind::ready) cases_[i]->remove_waiter((*places_)[i].node);
  }
}

/// Who claimed the case that won has taken it out already.
void selector::leave_queues(std::size_t won) noexcept {
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    if (i == won || !cases_[i]->on_channel() || cases_[i]->channel == nullptr) continue;
    const std::lock_guard guard(cases_[i]->channel->lock());
    unlink(i);
  }
}

/// What surrounds the wait for futures; ended in any case.
class wait_brackets {
 public:
  explicit wait_brackets(std::span<select_op* const> cases) : cases_(cases) {
    try {
      for (select_op* op : cases_) {
        if (op->what() == select_op::kind::ready) op->begin_wait();
      }
    } catch (...) {
      end();
      throw;
    }
  }
  ~wait_brackets() { end(); }
  wait_brackets(const wait_brackets&) = delete;
  wait_brackets& operator=(const wait_brackets&) = delete;

 private:
  void end() noexcept {
    for (select_op* op : cases_) {
      if (op->what() == select_op::kind::ready) op->end_wait();
    }
  }

  std::span<select_op* const> cases_;
};

selection selector::wait() {
  const wait_brackets around(cases_);
  waiter me(self_);
  scratch<registration, cases_on_stack> places(cases_.size());
  for (std::size_t i = 0; i < cases_.size(); ++i) places.emplace_back(me, i);
  waiter_ = &me;
  places_ = &places;
  const time_point deadline = timeout_ == none ? time_point::max() : cases_[timeout_]->deadline;
  wait_site site{"select", can_end() ? nullptr : nobody};
  if (channels_.size() != 0) site.object = channels_[0];

  for (std::size_t stalled = none;;) {
    const selection ready = enter(stalled);
    if (ready.index != none) return ready;
    hook_others();
    const waiter::outcome how = me.wait_until(deadline, site);
    unhook_others();
    const std::size_t won = how == waiter::timed_out ? timeout_ : how - 1;
    if (places[won].node.has_stalled) {
      stalled = won;
      continue;
    }
    leave_queues(won);
    return outcome_of(won);
  }
}

}  // namespace

selection choose(std::span<select_op* const> cases) { return selector(cases).choose(); }

void throw_select_on_nothing() {
  throw std::logic_error(
      "on_ready: the future has no state: it was moved from, default-constructed or its result taken");
}

}  // namespace spool::detail

namespace spool {

std::size_t select(std::span<select_case> cases) {
  detail::scratch<detail::select_op*, detail::cases_on_stack> ops(cases.size());
  for (select_case& c : cases) ops.emplace_back(&op_of(c));
  const detail::selection chosen = detail::choose({ops.begin(), ops.size()});
  ops[chosen.index]->run(chosen.taken);
  return chosen.index;
}

}  // namespace spool
