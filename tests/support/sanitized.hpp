// What a test must know of the sanitizer it is built for. SPOOL_SANITIZE defines the macros, gcc and clang alike.
#pragma once

#include <algorithm>

#if defined(BOOST_USE_TSAN) || defined(BOOST_USE_ASAN)
#define SPOOL_TEST_SANITIZED 1
#endif

namespace spool_test {

#ifdef BOOST_USE_TSAN
inline constexpr bool thread_sanitized = true;
#else
inline constexpr bool thread_sanitized = false;
#endif

#ifdef SPOOL_TEST_SANITIZED
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// How many fibers to have alive at once where a test wants `wanted`. To ThreadSanitizer each is a thread: gcc 12's
/// dies above 8,128, and long before that each synchronization costs as many steps as there are threads.
constexpr int live_fibers(int wanted) { return thread_sanitized ? std::min(wanted, 400) : wanted; }

}  // namespace spool_test
