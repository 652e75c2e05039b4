#pragma once

#include <cstdint>

namespace spool::detail {

/// A number that differs from call to call, never 0; cheap, not shared between threads that run at once, as a rule.
std::uint64_t random_bits() noexcept;

}  // namespace spool::detail
