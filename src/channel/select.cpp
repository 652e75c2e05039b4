// How a select proceeds:
//   1. Look at all cases and try those that seem ready, in random order. Nothing is registered yet, so an operation claims
//      its peer only; two selects that face each other cannot both be claimed. Where the cases are known by type, this step
//      is select_by_type.hpp's.
//   2. Lock every channel involved, in order of address, and look again: now "none is ready" holds at one instant. A
//      select with `otherwise` ends here; any other joins every queue before it unlocks.
//   3. Wait. Whoever claims names the case (outcome = index + 1). Then leave the other queues.
// A select meets neither itself nor a copy of its own case: in 1 and 2 it stands in no queue, in 3 it only waits.
// Contexts, futures and timeouts never become unready again, so that looking at them after the channels is exact.
#include <spool/channel/select.hpp>
#include <spool/context/detail/done_hook.hpp>

#include "random_bits.hpp"
#include "scratch.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

namespace spool::detail {
namespace {

constexpr std::size_t cases_on_stack = 16;
constexpr std::size_t none = no_case;
constexpr selection nothing{none, false};

/// In order of address, each once.
using channel_set = scratch<channel_base*, cases_on_stack>;

channel_side side_of(const select_op& op) noexcept {
  return op.what() == select_op::kind::send ? channel_side::send : channel_side::recv;
}

/// A number below `count`, each with the same chance.
std::size_t draw_of(std::size_t count) noexcept { return (random_bits() >> 32) * count >> 32; }

/// The cases that seem ready, from which one after the other is drawn at random, each with the same chance.
class ready_cases {
 public:
  explicit ready_cases(std::size_t room) : places_(room) {}

  /// Without a branch: which of the cases is ready is what no processor can foresee.
  void add(std::size_t i, bool is_ready) noexcept {
    places_.begin()[count_] = static_cast<std::uint32_t>(i);
    count_ += std::size_t{is_ready};
  }
  bool empty() const noexcept { return count_ == 0; }
  void clear() noexcept { count_ = 0; }

  std::size_t draw() noexcept {
    const std::size_t drawn = count_ == 1 ? 0 : draw_of(count_);
    const std::size_t i = places_.begin()[drawn];
    places_.begin()[drawn] = places_.begin()[--count_];
    return i;
  }

 private:
  scratch<std::uint32_t, cases_on_stack> places_;
  std::size_t count_ = 0;
};

/// All channels of a select, locked in order of address; unlocks, then wakes whom the select has served.
class all_locked {
 public:
  all_locked(channel_set& sorted, fiber* self) noexcept : channels_(sorted), self_(self) {
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
  channel_set& channels_;
  fiber* self_;
};

/// One case while its select waits.
struct registration {
  registration(waiter& self, std::size_t index) noexcept
      : node(self, nullptr, false, static_cast<waiter::outcome>(index + 1)) {}
  channel_node node;
  std::optional<done_hook> hook;
};

/// Of a channel: exact if it is locked.
inline bool seems_ready(select_op& op) {
  switch (op.what()) {
    case select_op::kind::recv: return op.channel != nullptr && !op.channel->recv_would_block();
    case select_op::kind::send: return op.channel != nullptr && !op.channel->send_would_block();
    case select_op::kind::done:
    case select_op::kind::ready: return op.ready();
    case select_op::kind::timeout: return op.deadline == time_point::min();
    case select_op::kind::otherwise: break;
  }
  return false;
}

/// Steps 2 and 3.
class selector {
 public:
  /// `others`: not every case is a channel's.
  selector(std::span<select_op* const> cases, bool others, std::size_t otherwise, fiber* self)
      : cases_(cases),
        others_(others ? cases : cases.first(0)),
        ready_(cases.size()),
        otherwise_(otherwise),
        self_(self) {}

  selection choose() {
    channel_set channels(cases_.size());
    gather(channels);
    if (otherwise_ == none) return wait(channels);
    const selection chosen = poll_at_one_instant(channels);
    return chosen.index != none ? chosen : selection{otherwise_, true};
  }

 private:
  /// Step 2, with every channel locked.
  selection take_one_locked(channel_node*& woken) {
    for (std::size_t i = 0; i < cases_.size(); ++i) ready_.add(i, cases_[i]->on_channel() && seems_ready(*cases_[i]));
    while (!ready_.empty()) {
      const std::size_t i = ready_.draw();
      const channel_step step = cases_[i]->commit(woken);
      if (step == channel_step::blocked) continue;
      ready_.clear();
      return {i, step == channel_step::done};
    }
    return nothing;
  }

  selection poll_at_one_instant(channel_set& channels) {
    if (channel_cases_ > 1) {  // the answer to one in step 1 was of one instant already
      all_locked lock(channels, self_);
      const selection chosen = take_one_locked(lock.woken);
      if (chosen.index != none) return chosen;
    }
    for (std::size_t i = 0; i < cases_.size(); ++i) ready_.add(i, !cases_[i]->on_channel() && seems_ready(*cases_[i]));
    return ready_.empty() ? nothing : selection{ready_.draw(), true};
  }

  void gather(channel_set& channels) noexcept {
    for (select_op* op : cases_) {
      if (op->on_channel() && op->channel != nullptr) channels.emplace_back(op->channel);
    }
    channel_cases_ = channels.size();
    // One case, or two in the right order, is the rule.
    if (std::adjacent_find(channels.begin(), channels.end(), std::greater_equal<>()) == channels.end()) return;
    std::sort(channels.begin(), channels.end(), std::less<>());
    const auto last = std::unique(channels.begin(), channels.end());
    channels.shrink_to(static_cast<std::size_t>(last - channels.begin()));
  }

  /// Starts the clock of every timeout; the case whose deadline comes first, or none.
  std::size_t start_timeouts() {
    std::size_t first = none;
    for (std::size_t i = 0; i < others_.size(); ++i) {
      if (cases_[i]->what() != select_op::kind::timeout) continue;
      cases_[i]->start_timeout();
      if (first == none || cases_[i]->deadline < cases_[first]->deadline) first = i;
    }
    return first;
  }

  /// Whether a case without a channel can become ready.
  bool can_end() const noexcept { return !others_.empty(); }

  /// Step 3.
  selection wait(channel_set& channels);
  selection enter(channel_set& channels, std::size_t stalled);
  selection outcome_of(std::size_t i);
  void hook_others();
  void unhook_others() noexcept;
  void leave_queues(std::size_t won) noexcept;
  void unlink(std::size_t i) noexcept;

  const std::span<select_op* const> cases_;
  const std::span<select_op* const> others_;  // cases_, or none
  ready_cases ready_;                         // filled and emptied by each look
  std::size_t channel_cases_ = 0;
  const std::size_t otherwise_;
  fiber* const self_;
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
selection selector::enter(channel_set& channels, std::size_t stalled) {
  all_locked lock(channels, self_);
  if (stalled != none) {
    for (std::size_t i = 0; i < cases_.size(); ++i) unlink(i);
    channel_node& node = (*places_)[stalled].node;
    if (node.result != channel_node::state::stalled) return outcome_of(stalled);
    node.result = channel_node::state::waiting;
    node.has_stalled = false;
    waiter_->rearm();
  }
  const selection chosen = take_one_locked(lock.woken);
  if (chosen.index != none) return chosen;
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
  for (std::size_t i = 0; i < others_.size(); ++i) {
    registration& place = (*places_)[i];
    if (cases_[i]->what() == select_op::kind::done) {
      place.hook.emplace(*cases_[i]->bounding_context(), *waiter_, place.node.claim_as);
    } else if (cases_[i]->what() == select_op::kind::ready && !cases_[i]->add_waiter(place.node)) {
      if (place.node.try_claim()) waiter_->wake(self_);
    }
  }
}

void selector::unhook_others() noexcept {
  for (std::size_t i = 0; i < others_.size(); ++i) {
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

selection selector::wait(channel_set& channels) {
  const wait_brackets around(others_);
  waiter_on_several me(self_);
  scratch<registration, cases_on_stack> places(cases_.size());
  for (std::size_t i = 0; i < cases_.size(); ++i) places.emplace_back(me, i);
  waiter_ = &me;
  places_ = &places;
  const std::size_t timeout = start_timeouts();
  const time_point deadline = timeout == none ? time_point::max() : cases_[timeout]->deadline;
  wait_site site{"select", can_end() ? nullptr : nobody};
  if (channels.size() != 0) site.object = channels[0];
  if (others_.empty()) {
    me.objects = reinterpret_cast<const void* const*>(channels.begin());
    me.count = channels.size();
  }

  for (std::size_t stalled = none;;) {
    const selection chosen = enter(channels, stalled);
    if (chosen.index != none) return chosen;
    hook_others();
    if (me.count != 0) me.note(waiter::needs::one_of_several);
    const waiter::outcome how = me.wait_until(deadline, site);
    unhook_others();
    const std::size_t won = how == waiter::timed_out ? timeout : how - 1;
    if (places[won].node.has_stalled) {
      stalled = won;
      continue;
    }
    leave_queues(won);
    return outcome_of(won);
  }
}

[[noreturn]] void throw_two_otherwise() {
  throw std::logic_error("select has more than one otherwise: give it one at most");
}

}  // namespace

std::size_t draw_bit(std::uint32_t bits) noexcept {
  const auto count = static_cast<std::uint32_t>(std::popcount(bits));
  for (std::size_t before = draw_of(count); before > 0; --before) bits &= bits - 1;
  return static_cast<std::size_t>(std::countr_zero(bits));
}

selection choose_slowly(std::span<select_op* const> cases, bool others, std::size_t otherwise, fiber* self) {
  return selector(cases, others, otherwise, self).choose();
}

/// Step 1 of cases that are not known by type.
selection choose(std::span<select_op* const> cases) {
  for (select_op* op : cases) {
    if (op->has_to_prepare()) op->prepare();
  }
  caller me = spend_budget();  // after user code, which may have waited
  ready_cases ready(cases.size());
  std::size_t otherwise = none;
  bool others = false;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    select_op& op = *cases[i];
    others |= !op.on_channel();
    if (op.what() == select_op::kind::otherwise && std::exchange(otherwise, i) != none) throw_two_otherwise();
    ready.add(i, seems_ready(op));
  }
  while (!ready.empty()) {
    const std::size_t i = ready.draw();
    select_op& op = *cases[i];
    if (!op.on_channel()) return {i, true};
    channel_section section(op.channel->lock(), me);
    const channel_step step = op.commit(section.woken);
    if (step != channel_step::blocked) return {i, step == channel_step::done};
    me.bias = current_bias_id();  // who waits for a lock may go on on another worker
  }
  return choose_slowly(cases, others, otherwise, me.self);
}

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
