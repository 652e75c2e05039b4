// Step 1 of a select that knows its cases by type: looks at them, draws one that seems ready, commits it and runs its
// handler, with no virtual call. The other steps are src/channel/select.cpp's.
#pragma once

#include <spool/channel/detail/select_cases.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace spool::detail {

/// Not a select_case, and with nothing to prepare: user code that may wait, after which `caller` would be wrong.
template <class Case>
concept KnownCase = std::derived_from<Case, select_op> && !Case::prepares;

inline constexpr std::size_t most_known_cases = 8;

/// Steps 2 and 3. `others`: not every case is a channel's; `otherwise`: its index, or no_case.
selection choose_slowly(std::span<select_op* const> cases, bool others, std::size_t otherwise, fiber* self);

/// One of several bits, each with the same chance: its number.
std::size_t draw_bit(std::uint32_t bits) noexcept;

template <class Case>
bool seems_ready(Case& op) {
  using enum select_op::kind;
  if constexpr (Case::made_as == recv) {
    return op.channel != nullptr && !op.channel->recv_would_block();
  } else if constexpr (Case::made_as == send) {
    return op.channel != nullptr && !op.channel->send_would_block();
  } else if constexpr (Case::made_as == timeout) {
    return op.deadline == time_point::min();
  } else {
    return op.ready();
  }
}

/// False: somebody was quicker, and nothing was done. Then `me` has been brought up to date: a fiber that waits for a lock
/// may go on on another worker. `Temporary`: the case ends with this select.
template <bool Temporary, class Case>
bool commit_and_run(Case& op, caller& me) {
  bool taken = true;
  if constexpr (is_on_channel(Case::made_as)) {
    channel_section section(op.channel->lock(), me);
    const channel_step step = op.commit(section.woken);
    if (step == channel_step::blocked) {
      me.bias = current_bias_id();
      return false;
    }
    taken = step == channel_step::done;
    if constexpr (Temporary) op.let_go_early();
  }
  op.run(taken);
  return true;
}

/// The index of the case that was committed, whose handler has run.
template <class... Cases>
std::size_t select_by_type(Cases&&... cases) {
  caller me = spend_budget();
  std::uint32_t ready = 0;
  std::size_t i = 0;
  ((ready |= std::uint32_t{detail::seems_ready(cases)} << i++), ...);
  while (ready != 0) {
    const bool only_one = (ready & (ready - 1)) == 0;  // std::has_single_bit counts them all, by a call
    const std::size_t drawn = only_one ? static_cast<std::size_t>(std::countr_zero(ready)) : draw_bit(ready);
    bool done = false;
    i = 0;
    (void)(... || (i++ == drawn &&
                 ((done = detail::commit_and_run<!std::is_lvalue_reference_v<Cases>>(cases, me)), true)));
    if (done) return drawn;
    ready &= ~(std::uint32_t{1} << drawn);
  }

  constexpr bool others = !(is_on_channel(std::remove_reference_t<Cases>::made_as) && ...);
  std::size_t otherwise = no_case;
  i = 0;
  (void)(... || (i++, std::remove_reference_t<Cases>::made_as == select_op::kind::otherwise &&
                          ((otherwise = i - 1), true)));
  select_op* const ops[] = {&cases...};
  const selection chosen = choose_slowly(ops, others, otherwise, me.self);
  i = 0;
  (void)(... || (i++ == chosen.index && (cases.run(chosen.taken), true)));
  return chosen.index;
}

}  // namespace spool::detail
