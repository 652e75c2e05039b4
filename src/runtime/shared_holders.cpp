#include <spool/runtime/detail/shared_holders.hpp>

#include <algorithm>

namespace spool::detail {

void shared_holders::find_place(const fiber* who) noexcept {
  if (const fiber** place = std::find(noted, noted + most_noted, nullptr); place != noted + most_noted) *place = who;
}

void shared_holders::forget(const fiber* who) noexcept {
  const bool place_for_all = readers < most_noted;
  const fiber** const end = noted + (place_for_all ? readers + 1 : most_noted);
  const fiber** at = std::find(noted, end, who);
  if (at == end && place_for_all) at = std::find(noted, end, nullptr);
  if (at != end) {
    *at = place_for_all ? noted[readers] : nullptr;
  } else if (place_for_all) {
    std::fill(noted, end, nullptr);  // it unlocks for another, and nobody knows for whom
  }
}

}  // namespace spool::detail
