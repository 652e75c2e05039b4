// Waiting on a 32-bit word. Spurious returns are possible; callers check their word.
#pragma once

#include <spool/base/clock.hpp>

#include <atomic>
#include <cstdint>

namespace spool::detail {

/// Waits while `word` holds `expected`, until woken or until `deadline` (max(): without end).
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, time_point deadline) noexcept;
/// Wakes one waiter. The word may be gone already: a waiter that saw its new value may have returned.
void futex_wake(std::atomic<std::uint32_t>& word) noexcept;

}  // namespace spool::detail
