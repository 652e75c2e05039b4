// A few words of storage per running task, for layers above: null when a task starts, kept across waits and migration.
#pragma once

namespace spool::detail {

inline constexpr unsigned fiber_slots = 2;
inline constexpr unsigned worker_pool_slot = 0;
inline constexpr unsigned seeded_slot = 1;  // the runtime's own: a fiber's number in a seeded run

/// The calling fiber's slot; null on a plain thread.
void* fiber_slot(unsigned index) noexcept;
/// Sets it; ignored on a plain thread.
void set_fiber_slot(unsigned index, void* value) noexcept;

}  // namespace spool::detail
