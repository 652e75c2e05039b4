// The exceptions in flight belong to the fiber, but the C++ runtime keeps them per thread (__cxa_get_globals). Without a
// swap at every switch, a fiber that waits inside a catch block or in a destructor during unwinding comes back to
// another fiber's exception. Boost 1.88 and later do this themselves.
#pragma once

#include <boost/version.hpp>

#include <cxxabi.h>

namespace spool::detail {

/// The layout that the Itanium C++ ABI fixes for __cxa_eh_globals.
struct exception_state {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

#if BOOST_VERSION < 108800 && !defined(SPOOL_WITHOUT_EH_SWITCH)
inline constexpr bool switches_exceptions = true;
#else
inline constexpr bool switches_exceptions = false;
#endif

/// The calling thread's; constant for the thread, so a worker asks once.
inline exception_state* thread_exception_state() noexcept {
  return reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
}

}  // namespace spool::detail
