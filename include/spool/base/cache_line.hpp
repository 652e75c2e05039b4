#pragma once

#include <cstddef>

namespace spool::detail {

/// Two lines: x86 prefetches them in pairs, so neighbours would still share traffic at 64.
inline constexpr std::size_t cache_line_bytes = 128;

}  // namespace spool::detail
