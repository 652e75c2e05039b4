// Where a fiber was started, for reports. std::source_location is missing in clang 14, the built-ins are not.
#pragma once

#include <cstdint>

namespace spool::detail {

struct start_site {
  const char* file = "";
  std::uint32_t line = 0;

  static constexpr start_site current(const char* file = __builtin_FILE(),
                                      std::uint32_t line = static_cast<std::uint32_t>(__builtin_LINE())) noexcept {
    return {file, line};
  }
};

}  // namespace spool::detail
