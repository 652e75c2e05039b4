// Reads memory of this process that may be gone: the kernel copies it and says no where a plain read would fault.
#pragma once

#include <cstddef>

namespace spool::detail {

/// Copies `bytes` from `from`. False: not all of it can be read, or the kernel forbids such reads altogether.
bool peek(const void* from, void* to, std::size_t bytes) noexcept;

template <class T>
bool peek(const void* from, T& to) noexcept {
  return peek(from, &to, sizeof(T));
}

}  // namespace spool::detail
